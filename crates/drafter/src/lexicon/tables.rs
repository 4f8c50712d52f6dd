//! The word lists of the language rules, as plain tables.
//!
//! Never holds logic: `lexicon/mod.rs` looks words up here, `lexicon/inflect.rs` knows their endings.

/// Verbs that are seldom nouns, as base forms.
pub(super) const VERBS: &str = "\
    accept access accompany accomplish achieve acknowledge acquire activate adapt add administer admit adopt \
    advertise advise affiliate agree aim allocate allow alter amend analyse analyze annotate announce appear append \
    apply appoint approve archive argue arise arrange arrive ask assemble assess assign assist associate assume \
    attach attend authenticate authorise authorize automate avoid award aggregate become begin believe \
    belong bill borrow bring browse build buy calculate cancel carry categorise categorize celebrate certify \
    characterise characterize choose clarify classify close collect combine come communicate compare compensate \
    compile complain complete compose comprise compute conclude conduct configure confirm connect consider consist \
    constitute construct consult consume contain continue contribute convert cook coordinate correct correspond \
    create customise customize deactivate decide declare decline decrease deduct define delay delegate delete \
    deliver demand demonstrate deny depart depend deploy depict derive describe deserve designate detect determine \
    develop deviate diagnose differ direct disable discover discuss display dispose distinguish distribute diverge \
    divide draw earn eat edit elect eliminate email emit employ enable encourage encrypt enforce engage enjoy enrol \
    enroll ensure enter entertain equip escalate establish evaluate examine exceed exclude execute exist expect \
    expire explain explore extend facilitate fail feature fetch file fill filter find finish fit follow forbid \
    forward foster fulfil fulfill gain gather generate get give go govern grade grant grow guarantee guess handle \
    hang happen have hear help hire hold identify ignore illustrate implement imply improve include incorporate \
    incur indicate inform inherit initialise initialize initiate insert inspect install instruct insure integrate \
    intend interact introduce investigate invite invoke involve issue join judge keep know label launch lay lead \
    learn leave lend let like link list listen live locate lock log lose love maintain make manage meet merge \
    mention migrate minimise minimize modernise modernize modify monitor mount move need negotiate note notify \
    observe obtain occur open operate opt organise organize originate outsource overdraw oversee overview own \
    package participate pay perform permit pick pledge pose possess postpone precede predict prefer prepare \
    prescribe preserve prevent proceed procure produce prohibit promote propose protect prove provide publish pursue \
    put raise reach read realise realize recall receive recognise recognize recommend reconcile recruit redeem \
    redirect reduce refer refill refuel refuse regard register regulate reject relate remain remember remind remove \
    renew reopen reorder repeat replace represent require reschedule reserve reside resolve respond restock restore \
    restrict resume retain retrieve reuse reveal revert revise revoke satisfy save say scan see seek seem select \
    sell send separate serve settle simplify simulate solve specify spend stand stay stipulate strive submit \
    subscribe succeed suffer suggest suit summarise summarize suppose suspend sync synchronise synchronize \
    synthesise take teach tell tend terminate throw tolerate transmit transport treat undergo understand undertake \
    unlock unsubscribe utilise utilize validate vary verify wait want warn wash win wish withdraw write sort upload \
    download opens reflect renegotiate reprint rebook reassign recalculate recheck resend resubmit reply quote drive \
    fly sing ride fix cut grab hail hit hunt catch cater breed sew steer repay ready";

/// Words that are as often nouns as verbs; the neighbours decide.
pub(super) const NOUN_VERBS: &str = "\
    attempt address answer audit back balance bid block board book box break brief budget bundle call care cause \
    change charge chart check claim clean click coach code collect comment commit complement concern contact contract \
    control copy cost count cover credit damage date deal debit deposit design desire dispatch document drop \
    estimate exchange exercise exit experience export face fear feed field figure film finance fine fire flag flow \
    focus form format frame function fund guide hand head host house import increase index influence input insult \
    interest interview invoice issue judge key label land lease level license limit line link list load loan lock \
    log look mail manufacture map mark market master match matter measure message model monitor move name need \
    notice number object offer order output pack park part pass permit phone photo place plan play point position \
    post practice present press price print process profile profit program progress project promise purchase \
    question queue quote race range rank rate reason record refund release rent repair report request research reset \
    rest result retail return review reward risk roll round route rule run sample sale scale schedule score screen \
    search seat secure sense service set shape share shift ship shop show sign signal sketch source space sponsor \
    spot stage staff start state step stock stop storage store stream stress structure study subject supply support \
    survey tag talk target task taste tax test text thank ticket time title touch tour track trade train transfer \
    transport travel trigger trip trust try turn type update upgrade upload use value view visit voice volume vote \
    walk watch work worry wrap zip scout nest brand default ground hook patch pilot pool query receipt recruit \
    repeat serve sound store swap tip top total transit trial upgrade cart dock labor landmark crop paint spray \
    water plant harvest bottle brew bake treat grade email invite access lead fix end note bill file filter feature \
    mention wish package hire win mount ride reply launch archive answer advance credit delegate duplicate conduct \
    demand display delay";

/// Past forms that the endings do not tell, with their base form.
pub(super) const IRREGULAR_VERBS: &str = "\
    made=make took=take taken=take gave=give given=give went=go gone=go came=come saw=see seen=see knew=know \
    known=know got=get gotten=get found=find kept=keep held=hold paid=pay sent=send sold=sell bought=buy \
    brought=bring built=build chose=choose chosen=choose written=write wrote=write driven=drive drove=drive \
    flown=fly flew=fly put=put set=set told=tell thought=think taught=teach caught=catch met=meet led=lead \
    left=leave lent=lend lost=lose meant=mean read=read run=run ran=run said=say shown=show shut=shut spent=spend \
    stood=stand understood=understand withdrawn=withdraw withdrew=withdraw drawn=draw drew=draw begun=begin \
    began=begin become=become became=become broken=break broke=break cut=cut done=do fallen=fall fell=fall felt=feel \
    forgotten=forget grown=grow grew=grow hidden=hide hit=hit hurt=hurt laid=lay let=let quit=quit ridden=ride \
    risen=rise rose=rise spoken=speak split=split stolen=steal swum=swim thrown=throw threw=throw undergone=undergo \
    underwent=undergo won=win worn=wear eaten=eat ate=eat bound=bind fed=feed fought=fight overdrawn=overdraw \
    repaid=repay sought=seek sewn=sew sung=sing sat=sit bid=bid cast=cast dealt=deal";

/// Adjectives (and words that behave so) that the endings do not tell.
pub(super) const ADJECTIVES: &str = "\
    able active actual additional adjacent administrative advanced affordable alternative ambient annual anonymous \
    appropriate automatic available average aware bad basic beautiful best better big black blue bright broad busy \
    careful certain cheap cheaper chief clear clean close cold common compatible complete complex concrete \
    confidential consecutive constant contemporary contrary convenient correct corresponding critical cultural \
    current customary daily dangerous dark dead deep default delicate desired dependent detailed different difficult \
    digital direct distinct domestic double dry due early easy effective efficient electronic eligible empty entire \
    equal essential exact exclusive exempt existing expensive explicit external extra fair familiar fast final \
    financial first fixed flat flexible following foreign formal former free frequent fresh friendly full further \
    future general global golden good great green happy hard healthy heavy high higher highest historic huge ideal \
    identical immediate important inactive inclusive incorrect independent indirect individual initial inner \
    insufficient interested intermediate internal international junior key large larger largest last late later \
    latest least left legal less light likely limited local logical long longer loose low lower lowest main major \
    mandatory manual maximal maximum medical mere minimal minimum minor missing mobile modern monthly multiple \
    mutual narrow national native natural near necessary negative net new next nice normal numeric numerous \
    obligatory old older online only open optional orange original other outer overall own parallel parental partial \
    particular past peculiar pending permanent personal physical plain pleasant poor popular positive possible \
    postal potential pre-defined preliminary present previous primary principal prior private professional \
    prospective proper public quick quiet random rare raw ready real recent red redundant regular related relevant \
    reliable remote residential respective responsible rich right rough safe same second secondary secret secure \
    senior separate serious several severe shared short shorter sick significant silent similar simple simultaneous \
    single slight slow small smaller smart social soft sole solid sorry special specific stable standard static \
    strict strong subsequent successful such sudden sufficient suitable super sure sustainable sweet tall temporary \
    third thick thin tight tiny top total tough traditional true typical ultimate unable unavailable unique unknown \
    unpaid unread upcoming upfront upper urgent usable useful usual valid variable various vast verbal very virtual \
    visible visual vital warm weak weekly well-known wet white whole wide wild wrong yearly yellow young younger \
    bi-weekly freelance alphanumeric annual part-time full-time overdue in-house on-demand real-time up-to-date \
    third-party semi-automatic multiple-choice";

/// Adjectives and participles that say nothing about the kind of thing; they are left out of names.
pub(super) const GENERIC_MODIFIERS: &str = "\
    new different various several particular specific certain own other same existing available possible current \
    single individual given necessary additional main general special respective corresponding appropriate desired \
    following previous next first last second third existing overall entire whole full further separate unique \
    distinct suitable multiple many few numerous relevant related potential proper real basic normal typical usual \
    common important major minor small large big huge great good better best bad simple complex easy free old young \
    recent latest upcoming future past early late actual exact maximum minimum total average standard regular \
    similar identical appropriate required requested selected chosen assigned stored registered existing specified \
    defined designated associated involved mentioned named called following such numeric alphanumeric valid invalid \
    correct incorrect complete incomplete empty ready successful respective aforementioned above below interested \
    responsible able unable possible likely optional mandatory necessary needed unlimited limited long short high \
    low higher lower little big one-time wrong right true false due missing quick fast slow immediate direct clear \
    sure special entered provided updated created added received booked ordered registered paid open closed finished \
    completed immediate specialised specialized up-to-date latest oldest newest original extra final initial one \
    another respective candidate different convenient detailed important exclusive huge nice local desired easy \
    easily personal respective remaining corresponding accompanying underlying resulting existing matching entire \
    particular";

/// Nouns that name no thing of the domain: they are never classes.
pub(super) const GENERIC_NOUNS: &str = "\
    information data system application app software program platform website site solution way number example case \
    time day week month year hour minute second moment today tomorrow morning evening afternoon night thing kind \
    type sort part set list series range variety lot amount process procedure purpose reason fact section chapter \
    figure table page text step requirement specification description scenario use usage ability possibility \
    possibilities option functionality function feature support need want goal aim view access overview insight \
    control use-case detail details aspect level degree basis base end start beginning rest everything something \
    nothing anything someone everyone anyone somebody nobody anybody world place point side hand advance addition \
    turn percentage majority minority half total maximum minimum average default content contents change changes \
    creation deletion management handling processing importance importances quality quantity management efficiency \
    attention database interface diagram class-diagram model entity attribute relationship object uml exercise \
    assignment-text plenty couple dozen pair bit front back top bottom middle left right nature meaning sense mind \
    idea view term terms condition conditions situation circumstance circumstances respect regard regards relation \
    connection combination difference effect impact issue problem question-mark reality course instance notion \
    concept structure design implementation development operation operations execution mean means manner method \
    approach technique technology tool effort work works working help assistance context environment domain scope \
    future past present choice selection decision-making discussion meeting-notes minutes track tracks note remark \
    mention success failure error delay progress stage phase period length beginning instant occasion responsibility \
    duty experience knowledge expertise capability satisfaction benefit advantage disadvantage convenience \
    flexibility ease care peace risk chance opportunity expectation interest concern worry limitation restriction \
    constraint exception assumption behalf favor favour lack presence existence availability screen button click tap \
    link url input output format field customer-base self one ones other others same former latter whole backlog \
    story epic business home word words stuff matter matters transition version foundation percent euro euros dollar \
    dollars cent cents kilometer kilometers km kg meter meters monday tuesday wednesday thursday friday saturday \
    sunday january february march april may june july august september october november december weekend workday \
    lifetime pros cons pro con etc vice versa";

/// Nouns that usually are properties of something else.
pub(super) const ATTRIBUTE_HEADS: &str = "\
    name surname firstname lastname number id identifier code date time address price cost amount fee status state \
    description title email e-mail mail-address phone telephone password username birthday birthdate age gender sex \
    weight height width length size color colour quantity duration capacity rate percentage level mileage balance \
    salary wage comment note remark url website homepage label value score points rating rank priority deadline year \
    month day hour hours location-name zip postcode zipcode city-name country-name nationality language currency \
    discount-rate tax total sum subtotal count frequency interval temperature humidity pressure speed distance \
    version model-number brand make license licence plate isbn issn ssn iban bic vat signature abstract summary \
    text-body content subject-line topic keyword bio biography specialization specialisation expertise designation \
    degree grade-point type category kind genre-name format width depth volume area floor profession occupation \
    hobby username login pin nickname initials theme material fuel-type quality reason date/time datetime timestamp \
    availability validity expiry expiration start end begin beginning finish birth death destination-name origin \
    latitude longitude coordinate coordinates turnover revenue profit budget income limit threshold minimum maximum \
    position-number details contact-details preference-level deposit-amount condition population logo picture-url \
    link reference role synopsis runtime severity residence citizenship symptom dosage dose caption alias slogan \
    motto barcode sku rent";

/// Attribute nouns that are just as often things of their own: they need a clear owner.
pub(super) const WEAK_ATTRIBUTE_HEADS: &str = "\
    type category kind role level location discount license licence brand language topic grade end start note \
    comment link picture photo logo reference signature content condition details position reason skill interest \
    material text subject currency city country tax rating theme origin destination limit balance account rent \
    quality summary";

/// Nouns for people and the like; they make good actors and lanes.
pub(super) const PERSON_NOUNS: &str = "\
    user customer client person admin administrator manager clerk employee guest member patient doctor nurse \
    physician student teacher professor lecturer tutor pupil parent guardian child visitor owner buyer seller vendor \
    supplier driver passenger pilot agent operator analyst accountant cashier waiter cook chef librarian reader \
    borrower lender tenant landlord author editor reviewer organizer organiser attendee participant coach player \
    referee scout director officer staff worker technician engineer mechanic inspector auditor subscriber applicant \
    candidate recruiter interviewer team department company office bank warehouse kitchen courier carrier \
    distributor dealer dispatcher planner coordinator receptionist secretary assistant supervisor boss chairman \
    president moderator developer tester designer architect consultant expert specialist volunteer citizen resident \
    traveller traveler tourist holder registrar principal dean merchant shopper representative broker insurer \
    policyholder claimant adjuster underwriter lawyer judge notary police firefighter pharmacist dentist therapist \
    surgeon veterinarian caretaker host anyone everyone somebody committee board council authority agency unit crew \
    bartender artist musician band freelancer people they he she we procurement finance sales it hr human-resources \
    legal accounting marketing logistics security";

/// Names of other systems end in one of these.
pub(super) const EXTERNAL_HEADS: &str = "\
    gateway api provider service server backend sensor device scanner printer terminal scheduler timer webhook \
    ledger crm erp sap ldap directory-service";

/// Endings of the name of the system itself.
pub(super) const SYSTEM_HEADS: &str = "\
    system application app platform portal software tool website site";
