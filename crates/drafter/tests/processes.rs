//! Where the ways of a procedure lead: to the end, back, or on.

mod render;

use blueprint::Kind::Activity;

#[track_caller]
fn check(text: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(render::render(Activity, text), expected.join("\n"), "\ntext: {text}");
}

#[test]
fn what_is_refused_ends_and_does_not_rejoin() {
    check(
        "The customer submits a loan application. The manager approves or declines the loan. If the loan is \
         declined, \
         the system notifies the customer. Otherwise the clerk prepares the contract. Once the contract has been \
         signed, the bank pays out the loan.",
        "
        start -> Submit a loan application [Customer]
        Submit a loan application [Customer] -> Approve or decline the loan [Manager]
        Approve or decline the loan [Manager] -> Is the loan declined?
        Is the loan declined? -yes-> Notify the customer [System]
        Notify the customer [System] -> end
        Is the loan declined? -no-> Prepare the contract [Clerk]
        Prepare the contract [Clerk] -> Pay out the loan [Bank]
        Pay out the loan [Bank] -> end
        ",
    );
}

#[test]
fn alternatives_are_a_decision() {
    check(
        "1. Author submits a paper\n2. Front desk files the paper\n3. Editor accepts or rejects the paper\n4. \
         Publisher prints \
         the paper",
        "
        start -> Submit a paper [Author]
        Submit a paper [Author] -> File the paper [Front desk]
        File the paper [Front desk] -> Accept or reject the paper [Editor]
        Accept or reject the paper [Editor] -> Paper accepted?
        Paper accepted? -no-> end
        Paper accepted? -yes-> Print the paper [Publisher]
        Print the paper [Publisher] -> end
        ",
    );
}

#[test]
fn what_is_sent_back_or_submitted_again_loops() {
    check(
        "The customer submits a form. The clerk checks the form. If a date is missing, the clerk sends the form \
         back to \
         the customer. The board reviews the form. If the form is wrong, the clerk corrects the form and \
         resubmits it. \
         The clerk files the form.",
        "
        start -> Submit a form [Customer]
        Submit a form [Customer] -> Check the form [Clerk]
        Check the form [Clerk] -> Is a date missing?
        Is a date missing? -yes-> Send the form back to the customer [Clerk]
        Send the form back to the customer [Clerk] -> Submit a form [Customer]
        Is a date missing? -no-> Review the form [Board]
        Review the form [Board] -> Is the form wrong?
        Is the form wrong? -yes-> Correct the form [Clerk]
        Correct the form [Clerk] -> Resubmit the form [Clerk]
        Resubmit the form [Clerk] -> Review the form [Board]
        Is the form wrong? -no-> File the form [Clerk]
        File the form [Clerk] -> end
        ",
    );
}

#[test]
fn lead_in_of_a_list_is_the_condition_of_its_items() {
    check(
        "### Step 1: Check\n- Cashier counts the money\n\n### Step 2: Foreign money\nFor foreign currencies:\n- \
         Accountant \
         converts the amount\n- Accountant notes the rate\n\n### Step 3: Pay\n- Accounting pays the sum",
        "
        start -> Count the money [Cashier]
        Count the money [Cashier] -> Foreign currencies?
        Foreign currencies? -yes-> Convert the amount [Accountant]
        Convert the amount [Accountant] -> Note the rate [Accountant]
        Note the rate [Accountant] -> merge
        Foreign currencies? -no-> merge
        merge -> Pay the sum [Accounting]
        Pay the sum [Accounting] -> end
        ",
    );
}

#[test]
fn every_verb_is_a_step_and_events_are_none() {
    check(
        "The process starts with a customer choosing a bike. When stock falls below a limit, the buyer orders bikes. A \
         report, such as a scan or a photo, is logged by the clerk. The mechanic cleans, repairs and tests the bike. \
         It's returned to the customer.",
        "
        start -> Choose a bike [Customer]
        Choose a bike [Customer] -> Order bikes [Buyer]
        Order bikes [Buyer] -> Log a report [Clerk]
        Log a report [Clerk] -> Clean the bike [Mechanic]
        Clean the bike [Mechanic] -> Repair the bike [Mechanic]
        Repair the bike [Mechanic] -> Test the bike [Mechanic]
        Test the bike [Mechanic] -> Return the bike to the customer
        Return the bike to the customer -> end
        ",
    );
}

#[test]
fn nothing_is_lost_before_what_happens_in_parallel() {
    check(
        "The customer orders a bouquet. If the payment fails, the clerk cancels the order. In parallel, \
         the system informs \
         the courier. The florist binds the bouquet.",
        "
        start -> Order a bouquet [Customer]
        Order a bouquet [Customer] -> Does the payment fail?
        Does the payment fail? -yes-> Cancel the order [Clerk]
        Cancel the order [Clerk] -> end
        Does the payment fail? -no-> Inform the courier [System]
        Inform the courier [System] -> Bind the bouquet [Florist]
        Bind the bouquet [Florist] -> end
        ",
    );
    check(
        "The user enters a code. After three failed attempts, the system locks the account. The system opens the page.",
        "
        start -> Enter a code [User]
        Enter a code [User] -> Three failed attempts?
        Three failed attempts? -yes-> Lock the account [System]
        Lock the account [System] -> merge
        Three failed attempts? -no-> merge
        merge -> Open the page [System]
        Open the page [System] -> end
        ",
    );
}
