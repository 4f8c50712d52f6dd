//! Who is calling, and what they may do. The one place that decides it: every other use-case asks here first.
//!
//! A thing that the caller may not see is not there (404); one that they may see but not change is refused (403).

use serde_json::Value;
use store::{
    AuditEventId, Diagram, DiagramId, Fence, JsonText, NewAuditEvent, Project, ProjectId, Role, SessionId,
    Store, TimeUs, TokenId, User, UserId,
};

use super::Error;
use crate::app::App;
use telemetry::trace;

/// What the details of an event call the trace that it is a part of.
pub(super) const TRACE: &str = "trace";

/// What a token may be allowed to do. Sessions of people may do everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// See projects and what is in them.
    Read,
    /// Change them.
    Write,
    /// Draft, check, repair and draw.
    Generate,
    /// Call the MCP server.
    Mcp,
    /// Everything about the account itself: sessions, tokens, people, members.
    Account,
}

/// Every scope, its word, and what it allows, in words.
pub const SCOPES: [(Scope, &str, &str); 5] = [
    (Scope::Read, "read", "see projects and what is in them"),
    (Scope::Write, "write", "change them"),
    (Scope::Generate, "generate", "draft, check, repair and draw diagrams"),
    (Scope::Mcp, "mcp", "call the MCP server"),
    (Scope::Account, "account", "manage the account, members and other people"),
];

impl Scope {
    /// The word of the scope.
    pub fn word(self) -> &'static str {
        SCOPES.iter().find(|(scope, ..)| *scope == self).map_or("", |(_, word, _)| word)
    }
}

/// Who is calling.
#[derive(Debug, Clone)]
pub struct Caller {
    who: Who,
    /// The session, if they came with one, and when it began.
    session: Option<(SessionId, TimeUs)>,
    /// The token and its scopes, if they came with one.
    token: Option<(TokenId, Vec<String>)>,
    /// What must hold for their changes to count, if they are to be made once.
    fence: Option<Fence>,
}

#[derive(Debug, Clone)]
enum Who {
    /// The one owner of a server that has no accounts.
    Local,
    /// Another process of the same installation, which checks and sees nothing that is kept.
    Service,
    /// Somebody.
    Person(Box<User>),
}

impl Caller {
    /// The one owner of a server that only this machine reaches and that has no accounts; also the command line.
    pub fn local() -> Self {
        Caller { who: Who::Local, session: None, token: None, fence: None }
    }

    /// Another process of the same installation, which may check and sees nothing that is kept.
    pub fn service() -> Self {
        Caller { who: Who::Service, session: None, token: None, fence: None }
    }

    /// Somebody in whose name the command line acts.
    pub(super) fn in_the_name_of(person: User) -> Self {
        Caller { who: Who::Person(Box::new(person)), session: None, token: None, fence: None }
    }

    pub(super) fn by_session(person: User, session: SessionId, began: TimeUs) -> Self {
        Caller {
            who: Who::Person(Box::new(person)),
            session: Some((session, began)),
            token: None,
            fence: None,
        }
    }

    pub(super) fn by_token(person: User, token: TokenId, scopes: &str) -> Self {
        let scopes = scopes.split_whitespace().map(str::to_owned).collect();
        Caller {
            who: Who::Person(Box::new(person)),
            session: None,
            token: Some((token, scopes)),
            fence: None,
        }
    }

    /// The same caller, whose changes count only while the fence holds.
    pub(super) fn fenced(mut self, fence: Fence) -> Self {
        self.fence = Some(fence);
        self
    }

    /// The person; none where nobody has to say who they are.
    pub fn person(&self) -> Option<&User> {
        match &self.who {
            Who::Person(person) => Some(person),
            Who::Local | Who::Service => None,
        }
    }

    /// Their id.
    pub fn user_id(&self) -> Option<&UserId> {
        self.person().map(|person| &person.id)
    }

    /// The session that they came with.
    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref().map(|(id, _)| id)
    }

    /// When the person signed in; none if they came with a token or from the command line.
    pub fn signed_in_at(&self) -> Option<TimeUs> {
        self.session.as_ref().map(|(_, began)| *began)
    }

    /// The token that they came with.
    pub fn token_id(&self) -> Option<&TokenId> {
        self.token.as_ref().map(|(id, _)| id)
    }

    /// Nobody has to say who they are.
    pub fn is_local(&self) -> bool {
        matches!(self.who, Who::Local)
    }

    /// Whether the token, if they came with one, allows this.
    ///
    /// # Errors
    /// When it does not.
    pub fn may(&self, scope: Scope) -> Result<(), Error> {
        match &self.token {
            Some((_, scopes)) if !scopes.iter().any(|word| word == scope.word()) => Err(Error::Forbidden(
                format!("This token has no scope `{}`. Use one that has, or make one.", scope.word()),
            )),
            _ => Ok(()),
        }
    }

    /// The person, for what only people with an account can do.
    ///
    /// # Errors
    /// When there are no accounts, or the token does not allow it.
    pub fn account(&self) -> Result<&User, Error> {
        self.may(Scope::Account)?;
        self.person().ok_or_else(|| {
            Error::Conflict(
                "This server has no accounts yet, so there is nothing of yours to manage. Set up the first one at /set-up or with `ba-copilot user add`."
                    .to_owned(),
            )
        })
    }

    /// The person, for what proves who they are: password, second factor, recovery codes, e-mail address, identities and tokens.
    /// A token is not enough, or whoever has it for a day could make it last.
    ///
    /// # Errors
    /// When there are no accounts, or the caller came with a token.
    pub fn in_person(&self) -> Result<&User, Error> {
        let person = self.account()?;
        self.not_by_token("change how its owner signs in, or create tokens")?;
        Ok(person)
    }

    /// Refuses callers who came with a token.
    ///
    /// # Errors
    /// When the caller did; the message says what a token cannot do.
    pub(super) fn not_by_token(&self, what: &str) -> Result<(), Error> {
        match self.token {
            None => Ok(()),
            Some(_) => Err(Error::Forbidden(format!(
                "A token cannot {what}, so that it never gives more, or for longer, than it was made for. Sign in and do this at /account, or use `ba-copilot user` and `ba-copilot token`."
            ))),
        }
    }

    /// For what only those who run the server may do.
    ///
    /// # Errors
    /// When the caller does not.
    pub fn admin(&self) -> Result<(), Error> {
        self.may(Scope::Account)?;
        match &self.who {
            Who::Local => Ok(()),
            Who::Person(person) if person.admin => Ok(()),
            Who::Person(_) | Who::Service => {
                Err(Error::Forbidden("Only an administrator of this server may do this. Ask one.".to_owned()))
            }
        }
    }

    /// The event that says that this caller did something now.
    pub(super) fn did(
        &self,
        app: &App,
        action: &'static str,
        project: Option<&ProjectId>,
        subject: &str,
        details: &Value,
    ) -> Result<NewAuditEvent, Error> {
        // Where traces are kept, it says which one this is a part of: for whoever asks later, and for what follows from it.
        let details = match (details, trace::exported()) {
            (Value::Object(known), Some(trace)) => {
                let mut known = known.clone();
                known.insert(TRACE.to_owned(), trace.traceparent().into());
                JsonText::encode(&known)?
            }
            (known, _) => JsonText::encode(known)?,
        };
        Ok(NewAuditEvent {
            id: AuditEventId::parse(app.clock.new_id("aud"))?,
            at: app.clock.now_us(),
            user_id: self.user_id().cloned(),
            token_id: self.token_id().cloned(),
            action,
            project_id: project.cloned(),
            subject: subject.to_owned(),
            details,
            fence: self.fence.clone(),
        })
    }
}

/// The store of a process that keeps things.
///
/// # Errors
/// When this process keeps nothing.
pub(super) fn store(app: &App) -> Result<&Store, Error> {
    app.store.as_ref().ok_or_else(|| {
        Error::Unavailable(
            "This process keeps nothing: it was started in a role without a database.".to_owned(),
        )
    })
}

/// A project that the caller may enter.
#[derive(Debug, Clone)]
pub struct Entered {
    /// The project.
    pub project: Project,
    /// What the caller is in it.
    pub role: Role,
}

/// Lets the caller into a project as at least `need`.
///
/// # Errors
/// Not found if they are no member; forbidden if they are less than `need` or their token does not allow it; a conflict
/// if something is to be changed in a project that is put away.
pub(super) async fn enter(
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    need: Role,
) -> Result<Entered, Error> {
    let entered = enter_any(app, caller, project, need).await?;
    if need > Role::Viewer && entered.project.archived_at.is_some() {
        return Err(Error::Conflict(
            "This project is archived, so nothing in it changes. Restore it first.".to_owned(),
        ));
    }
    Ok(entered)
}

/// The same, also into a project that is put away.
pub(super) async fn enter_any(
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    need: Role,
) -> Result<Entered, Error> {
    let store = store(app)?;
    let role = match &caller.who {
        Who::Local => Some(Role::Owner),
        Who::Service => None,
        Who::Person(person) => store.find_role(project, &person.id).await?,
    };
    let role = role.ok_or(Error::NotFound("project"))?;
    caller.may(if need == Role::Viewer { Scope::Read } else { Scope::Write })?;
    let project = store.find_project(project).await?;
    if role < need {
        return Err(Error::Forbidden(format!(
            "You are a {} of this project, and this takes {} {}. Ask an owner.",
            role.as_str(),
            if matches!(need, Role::Editor | Role::Owner) { "an" } else { "a" },
            need.as_str()
        )));
    }
    Ok(Entered { project, role })
}

/// Lets the caller at a diagram, as at least `need` in its project.
pub(super) async fn enter_diagram(
    app: &App,
    caller: &Caller,
    diagram: &str,
    need: Role,
) -> Result<(Diagram, Entered), Error> {
    let id = DiagramId::parse(diagram).map_err(|_| Error::NotFound("diagram"))?;
    let diagram = store(app)?.find_diagram(&id).await?;
    let entered = enter_for("diagram", app, caller, &diagram.project_id, need).await?;
    Ok((diagram, entered))
}

/// Lets the caller into the project of a thing that they asked for. Where they may not, there is no such thing: that it
/// is somewhere is nobody else's business.
pub(super) async fn enter_for(
    what: &'static str,
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    need: Role,
) -> Result<Entered, Error> {
    enter(app, caller, project, need).await.map_err(|error| match error {
        Error::NotFound(_) => Error::NotFound(what),
        other => other,
    })
}

/// So often a change is tried that is made whatever is there now.
const TRIES: u32 = 50;

/// Makes a change of what the caller has seen; or, if they say that it may be anything, of what is there: again, if somebody else
/// changes it between the look and the change.
pub(super) async fn unless_seen<T, F>(seen: Option<i64>, mut change: impl FnMut() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        match change().await {
            Err(Error::Changed(_)) if seen.is_none() && tries < TRIES => (),
            done => return done,
        }
    }
}

/// The id of a project, as callers write it.
pub(super) fn project_id(text: &str) -> Result<ProjectId, Error> {
    ProjectId::parse(text).map_err(|_| Error::NotFound("project"))
}
