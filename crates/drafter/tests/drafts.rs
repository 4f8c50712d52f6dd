//! Drafts of small texts, drawn as lines.

mod render;

use blueprint::Kind;
use blueprint::Kind::{Activity, Class, UseCase};

#[track_caller]
fn check(kind: Kind, text: &str, expected: &str) {
    let expected: Vec<&str> = expected.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    assert_eq!(render::render(kind, text), expected.join("\n"), "\ntext: {text}");
}

#[test]
fn lists_of_properties_become_attributes() {
    check(
        Class,
        "A library lends books to members. Each book has a title, a price and a publication date. Each member has a \
        first and last name.",
        r#"
        Library
        Book(title:String, price:Money, publicationDate:Date)
        Member(firstName:String, lastName:String)
        Library "1" --lends--> "*" Book
        Book "1" -- "*" Member
        "#,
    );
}

#[test]
fn what_is_stored_for_something_belongs_to_it() {
    check(
        Class,
        "The name, address and number of beds are stored for each clinic. A clinic employs several nurses. A nurse \
        is identified by her badge number.",
        r#"
        Clinic(name:String, address:String, numberOfBeds:Integer)
        Nurse(badgeNumber:String)
        Clinic "1" --employs--> "*" Nurse
        "#,
    );
}

#[test]
fn of_which_and_whether_name_properties() {
    check(
        Class,
        "A gardener may own a greenhouse, the size and colour of which are recorded. For every greenhouse it is \
        stored whether it has a heating.",
        r#"
        Gardener
        Greenhouse(size:Decimal, colour:String, heating:Boolean)
        Gardener "1" --owns--> "*" Greenhouse
        "#,
    );
}

#[test]
fn stated_numbers_become_multiplicities() {
    check(
        Class,
        "An order consists of one or more order lines. Each order line refers to exactly one product. A courier \
        delivers up to 5 orders.",
        r#"
        Order
        OrderLine
        Product
        Courier
        Order "1" *-- "1..*" OrderLine
        Courier "1" --delivers--> "0..5" Order
        OrderLine "1" --refers to--> "1" Product
        "#,
    );
}

#[test]
fn parts_know_their_whole() {
    check(
        Class,
        "The courier's name and phone number must be known. A parcel is part of a shipment. Each node is connected \
        to other nodes.",
        r#"
        Courier(name:String, phoneNumber:String)
        Parcel
        Shipment
        Node
        Shipment "1" o-- "1" Parcel
        Node "1" --connected to--> "*" Node
        "#,
    );
}

#[test]
fn kinds_become_subclasses() {
    check(
        Class,
        "There are three types of vessels: ferries, tugs and barges. Each vessel has a length. A guide is a person. \
        A person has a name.",
        r#"
        Vessel(length:Decimal)
        Ferry
        Tug
        Barge
        Guide
        Person(name:String)
        Ferry --|> Vessel
        Tug --|> Vessel
        Barge --|> Vessel
        Guide --|> Person
        "#,
    );
}

#[test]
fn values_become_enumerations() {
    check(
        Class,
        "For each ticket, we store the seat number and the price. The status of a ticket can be open, paid or \
        cancelled. A visitor buys tickets.",
        r#"
        Ticket(seatNumber:String, price:Money, status:TicketStatus)
        Visitor
        enum TicketStatus[Open, Paid, Cancelled]
        Visitor "1" --buys--> "*" Ticket
        "#,
    );
}

#[test]
fn roles_of_stories_are_classes_and_benefits_are_not() {
    check(
        Class,
        "As a tenant, I want to report a defect so that my flat stays dry.\nAs a landlord, I want to see the defects \
        of my tenants so that I can plan.",
        r#"
        Tenant
        Defect
        Landlord
        Tenant "1" --reports--> "*" Defect
        Landlord "1" -- "*" Tenant
        Landlord "1" --sees--> "*" Defect
        "#,
    );
}

#[test]
fn stories_give_actors_and_goals() {
    check(
        UseCase,
        "As a librarian, I want to see and edit the catalogue, so that readers find books.\nAs a reader I want to be \
        able to renew my loans so that I do not have to pay a fine.\nAs an admin, I want a separate mailbox with \
        tickets.",
        "
        actor Librarian
        actor Reader
        actor Admin
        Librarian -- See and edit the catalogue
        Reader -- Renew loans
        Admin -- Get a separate mailbox with tickets
        ",
    );
}

#[test]
fn prose_gives_actors_includes_and_extends() {
    check(
        UseCase,
        "The Online Bookshop system lets customers search books. A registered customer can review a book and rate \
        it. Placing an order includes paying for the order. While placing an order, the customer may also add a gift \
        note. The customer pays through the payment gateway.",
        "
        system Online Bookshop system
        actor Customer
        external Payment gateway
        Customer -- Search books
        Customer -- Review a book
        Customer -- Rate the book
        Place an order ..include..> Pay for the order
        Customer -- Add a gift note
        Add a gift note ..extend..> Place an order
        Customer -- Pay through the payment gateway
        Payment gateway -- Pay through the payment gateway
        ",
    );
}

#[test]
fn passive_voice_and_receivers_give_actors_too() {
    check(
        UseCase,
        "The system shall send a confirmation to the guest. Managers must be able to export reports. An \
        administrator is a kind of manager. Invoices are approved by the accountant. Guests cannot delete invoices.",
        "
        actor Guest
        actor Manager
        actor Accountant
        actor Administrator
        Guest -- Send a confirmation to the guest
        Manager -- Export reports
        Accountant -- Approve invoices
        Administrator --|> Manager
        ",
    );
}

#[test]
fn conditions_become_decisions() {
    check(
        Activity,
        "The customer places an order. The clerk checks the order. If the order is complete, the warehouse packs the \
        goods and the clerk ships them. Otherwise the clerk rejects the order. Finally, the invoice is archived.",
        "
        start -> Place an order [Customer]
        Place an order [Customer] -> Check the order [Clerk]
        Check the order [Clerk] -> Is the order complete?
        Is the order complete? -yes-> Pack the goods [Warehouse]
        Pack the goods [Warehouse] -> Ship the goods [Clerk]
        Is the order complete? -no-> Reject the order [Clerk]
        Ship the goods [Clerk] -> merge
        Reject the order [Clerk] -> merge
        merge -> Archive the invoice
        Archive the invoice -> end
        ",
    );
}

#[test]
fn while_and_in_parallel_fork() {
    check(
        Activity,
        "While the courier delivers the parcel, the accountant issues the invoice. Finally, the customer pays the \
        invoice. The process ends.",
        "
        start -> fork
        fork -> Deliver the parcel [Courier]
        fork -> Issue the invoice [Accountant]
        Deliver the parcel [Courier] -> join
        Issue the invoice [Accountant] -> join
        join -> Pay the invoice [Customer]
        Pay the invoice [Customer] -> end
        ",
    );
    check(
        Activity,
        "In parallel, the archive is updated and the applicant is notified.",
        "
        start -> fork
        fork -> Update the archive
        fork -> Notify the applicant
        Update the archive -> join
        Notify the applicant -> join
        join -> end
        ",
    );
}

#[test]
fn lists_are_sequences_and_may_go_back() {
    check(
        Activity,
        "1. Review application\n2. Check the credit score of the applicant\n3. If the score is too low, reject the \
        application and go back to review application\n4. The form is approved by the manager.",
        "
        start -> Review application
        Review application -> Check the credit score of the applicant
        Check the credit score of the applicant -> Is the score too low?
        Is the score too low? -yes-> Reject the application
        Reject the application -> Review application
        Is the score too low? -no-> Approve the form [Manager]
        Approve the form [Manager] -> end
        ",
    );
}

#[test]
fn until_loops_unless_and_may_decide() {
    check(
        Activity,
        "The editor corrects the article until the article is accepted. Unless the author objects, the article is \
        printed. The author may receive a copy.",
        "
        start -> Correct the article [Editor]
        Correct the article [Editor] -> Is the article accepted?
        Is the article accepted? -no-> Correct the article [Editor]
        Is the article accepted? -yes-> Does the author object?
        Does the author object? -no-> Print the article
        Print the article -> merge
        Does the author object? -yes-> merge
        merge -> Receive a copy?
        Receive a copy? -yes-> Receive a copy [Author]
        Receive a copy [Author] -> end
        Receive a copy? -no-> end
        ",
    );
}

#[test]
fn a_text_without_content_is_an_empty_model_and_a_note() {
    for text in ["", "   \n\t", "...", "42 + 7 = 49", "???", "— — —"] {
        for kind in [Class, UseCase, Activity] {
            check(kind, text, "");
            assert!(!drafter::draft(kind, text).notes.is_empty(), "{kind:?} {text:?}");
        }
    }
}

#[test]
fn sentences_know_abbreviations_lists_and_wrapped_lines() {
    let text = "Dr. Smith orders parts, e.g. screws. The price is 3.50 euros! Why?\n\n# Heading\n- first item\n- \
    second item\nA long line that was wrapped by the editor because it had more than\nsixty characters goes on here.";
    let pieces: Vec<&str> = drafter::sentences(text).into_iter().map(|s| &text[s.start..s.end]).collect();
    assert_eq!(
        pieces,
        [
            "Dr. Smith orders parts, e.g. screws.",
            "The price is 3.50 euros!",
            "Why?",
            "Heading",
            "first item",
            "second item",
            "A long line that was wrapped by the editor because it had more than\nsixty characters goes on here.",
        ]
    );
}

#[test]
fn terms_are_singular_and_know_their_places() {
    let text = "The order lines of an order contain products. Each order line has a price.";
    let terms: Vec<(String, Vec<&str>)> = drafter::terms(text)
        .into_iter()
        .map(|t| (t.text, t.spans.iter().map(|s| &text[s.start..s.end]).collect()))
        .collect();
    assert_eq!(terms[0], ("order line".to_owned(), vec!["order lines", "order line"]));
    assert!(terms.iter().any(|(name, spans)| name == "product" && spans == &["products"]));
}

#[test]
fn evidence_is_found_exactly_or_loosely_or_not() {
    let text = "The clerk  checks\nthe order – and the Order is shipped.";
    let at = |evidence: &str| {
        drafter::locate(text, evidence).into_iter().map(|s| &text[s.start..s.end]).collect::<Vec<_>>()
    };
    assert_eq!(at("the order"), ["the order"]);
    assert_eq!(at("Clerk checks the ORDER"), ["clerk  checks\nthe order"]);
    assert_eq!(at("order and the order"), ["order – and the Order"]);
    assert_eq!(at("lerk checks"), Vec::<&str>::new());
    assert_eq!(at("invoice"), Vec::<&str>::new());
    assert_eq!(at(" – "), ["–"]);
    assert_eq!(at(""), Vec::<&str>::new());
}

#[test]
fn spellings_of_one_name_are_one_class() {
    check(
        Class,
        "A TicketOrder contains at least one ticket. Each ticket order has a number. The ticket-orders are sent to the \
        customer.",
        r#"
        TicketOrder(number:Integer)
        Ticket
        Customer
        TicketOrder "1" o-- "1..*" Ticket
        TicketOrder "1" --sent to--> "*" Customer
        "#,
    );
    check(
        Class,
        "The depot has busses. A bus has a plate number. An employee files a travel claim (TC). The TC has an amount.",
        r#"
        Depot
        Bus(plateNumber:String)
        Employee
        TravelClaim(amount:Money)
        Employee "1" --files--> "*" TravelClaim
        Depot "1" --has--> "*" Bus
        "#,
    );
}

#[test]
fn vague_nouns_are_classes_where_the_text_says_what_they_have() {
    check(
        Class,
        "A case has a number. A lawyer handles cases. A court has a place for the public.",
        r#"
        Case(number:Integer)
        Lawyer
        Court
        Lawyer "1" --handles--> "*" Case
        "#,
    );
    check(
        Class,
        "A bicycle is composed of a frame, a drive system and a controller. A frame has a weight in grams. \
        A late fee of 3 EUR is due.",
        r#"
        Bicycle
        Frame(weight:Decimal)
        DriveSystem
        Controller
        Bicycle "1" *-- "1" Frame
        Bicycle "1" *-- "1" DriveSystem
        Bicycle "1" *-- "1" Controller
        "#,
    );
}

#[test]
fn roles_and_purposes_are_no_kinds() {
    check(
        Class,
        "A chef is an employee who has a speciality. A tutor may also be a student. A student has a name.",
        r#"
        Chef
        Employee
        Speciality
        Student(name:String)
        Chef --|> Employee
        Chef "1" --has--> "1" Speciality
        "#,
    );
}

#[test]
fn lists_of_values_are_read_in_every_layout() {
    for text in [
        "A parcel has a status (draft, sent or paid).",
        "A parcel has a status: draft, sent or paid.",
        "A parcel has a weight. Status of a parcel: draft, sent or paid",
        "A parcel has a weight. The status of a parcel is either draft, sent or paid.",
    ] {
        let drawn = render::render(Class, text);
        assert!(drawn.contains("status:ParcelStatus"), "{text}: {drawn}");
        assert!(drawn.contains("enum ParcelStatus[Draft, Sent, Paid]"), "{text}: {drawn}");
    }
}

#[test]
fn owners_are_found_behind_asides_and_in_the_sentence_before() {
    check(
        Class,
        "A library has members. Their names and addresses are recorded. Members may borrow up to five books.",
        r#"
        Library
        Member(name:String, address:String)
        Book
        Member "1" --borrows--> "0..5" Book
        Library "1" --has--> "*" Member
        "#,
    );
    check(
        Class,
        "Patients, who are identified by a patient number, visit doctors. A booking is made by a patient. The booking \
        includes a start date.",
        r#"
        Patient(patientNumber:String)
        Doctor
        Booking(startDate:Date)
        Patient "1" --visits--> "*" Doctor
        Patient "1" --makes--> "*" Booking
        "#,
    );
}
