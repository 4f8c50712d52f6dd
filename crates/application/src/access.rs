//! Authorization: who the caller is and what the caller may do. Every use case checks permissions here first.
//!
//! A resource that the caller may not see is reported as not found (404); one that the caller may see but not change
//! as forbidden (403).

use serde_json::Value;
use store::{
    AuditEventId, Diagram, DiagramId, Fence, JsonText, NewAuditEvent, Project, ProjectId, Role, SessionId,
    Store, TimeUs, TokenId, User, UserId,
};

use super::Error;
use crate::app::App;
use telemetry::trace;

/// Key of the trace id in the details of an audit event.
pub(super) const TRACE: &str = "trace";

/// Permission of an access token. Sessions are not limited by scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Read,
    Write,
    Generate,
    Mcp,
    /// Manage the account itself: sessions, tokens, users, members.
    Account,
}

/// Every scope with its name and description.
pub const SCOPES: [(Scope, &str, &str); 5] = [
    (Scope::Read, "read", "see projects and what is in them"),
    (Scope::Write, "write", "change them"),
    (Scope::Generate, "generate", "draft, check, repair and draw diagrams"),
    (Scope::Mcp, "mcp", "call the MCP server"),
    (Scope::Account, "account", "manage the account, members and other people"),
];

impl Scope {
    pub fn word(self) -> &'static str {
        SCOPES.iter().find(|(scope, ..)| *scope == self).map_or("", |(_, word, _)| word)
    }
}

#[derive(Debug, Clone)]
pub struct Caller {
    principal: Principal,
    /// The session and its start time, if the caller authenticated with one.
    session: Option<(SessionId, TimeUs)>,
    /// The token and its scopes, if the caller authenticated with one.
    token: Option<(TokenId, Vec<String>)>,
    /// Condition that each change of this caller must meet in its transaction (idempotency).
    fence: Option<Fence>,
}

#[derive(Debug, Clone)]
enum Principal {
    /// The owner of a server without accounts; also the command line.
    Local,
    /// Another process of the same installation. It may check diagrams and sees no stored data.
    Service,
    Person(Box<User>),
}

impl Caller {
    /// The owner of a server without accounts that only this machine reaches; also the command line.
    pub fn local() -> Self {
        Caller { principal: Principal::Local, session: None, token: None, fence: None }
    }

    /// Another process of the same installation. It may check diagrams and sees no stored data.
    pub fn service() -> Self {
        Caller { principal: Principal::Service, session: None, token: None, fence: None }
    }

    /// The command line acting with the rights of a user.
    pub(super) fn as_user(person: User) -> Self {
        Caller { principal: Principal::Person(Box::new(person)), session: None, token: None, fence: None }
    }

    pub(super) fn from_session(person: User, session: SessionId, began: TimeUs) -> Self {
        Caller {
            principal: Principal::Person(Box::new(person)),
            session: Some((session, began)),
            token: None,
            fence: None,
        }
    }

    pub(super) fn from_token(person: User, token: TokenId, scopes: &str) -> Self {
        let scopes = scopes.split_whitespace().map(str::to_owned).collect();
        Caller {
            principal: Principal::Person(Box::new(person)),
            session: None,
            token: Some((token, scopes)),
            fence: None,
        }
    }

    /// The same caller, whose changes succeed only while the fence holds.
    pub(super) fn with_fence(mut self, fence: Fence) -> Self {
        self.fence = Some(fence);
        self
    }

    /// The user; `None` where no authentication is needed.
    pub fn person(&self) -> Option<&User> {
        match &self.principal {
            Principal::Person(person) => Some(person),
            Principal::Local | Principal::Service => None,
        }
    }

    pub fn user_id(&self) -> Option<&UserId> {
        self.person().map(|person| &person.id)
    }

    pub fn session(&self) -> Option<&SessionId> {
        self.session.as_ref().map(|(id, _)| id)
    }

    /// When the user signed in; `None` for tokens and the command line.
    pub fn signed_in_at(&self) -> Option<TimeUs> {
        self.session.as_ref().map(|(_, began)| *began)
    }

    pub fn token_id(&self) -> Option<&TokenId> {
        self.token.as_ref().map(|(id, _)| id)
    }

    /// Whether the caller is the local owner, who needs no authentication.
    pub fn is_local(&self) -> bool {
        matches!(self.principal, Principal::Local)
    }

    /// Checks that the token, if there is one, has the scope.
    pub fn require_scope(&self, scope: Scope) -> Result<(), Error> {
        match &self.token {
            Some((_, scopes)) if !scopes.iter().any(|word| word == scope.word()) => {
                Err(Error::Forbidden(format!(
                    "The token does not have the scope `{}`. Use a token with this scope, or create one.",
                    scope.word()
                )))
            }
            _ => Ok(()),
        }
    }

    /// The user, for what requires an account.
    pub fn require_account(&self) -> Result<&User, Error> {
        self.require_scope(Scope::Account)?;
        self.person().ok_or_else(|| {
            Error::Conflict(
                "This server has no accounts, so there is no account to manage. Create the first one at /set-up \
                 or with `ba-copilot user add`."
                    .to_owned(),
            )
        })
    }

    /// The user, for changes of credentials: password, second factor, recovery codes, e-mail address, identities and
    /// tokens. Requires a session: with a token, a thief could extend its own access.
    pub fn require_session(&self) -> Result<&User, Error> {
        let person = self.require_account()?;
        self.reject_token("change credentials or create tokens")?;
        Ok(person)
    }

    pub(super) fn reject_token(&self, what: &str) -> Result<(), Error> {
        match self.token {
            None => Ok(()),
            Some(_) => Err(Error::Forbidden(format!(
                "A token cannot {what}. Sign in and use /account, or use `ba-copilot user` and `ba-copilot token`."
            ))),
        }
    }

    /// Checks that the caller administers the server.
    pub fn require_admin(&self) -> Result<(), Error> {
        self.require_scope(Scope::Account)?;
        match &self.principal {
            Principal::Local => Ok(()),
            Principal::Person(person) if person.admin => Ok(()),
            Principal::Person(_) | Principal::Service => Err(Error::Forbidden(
                "Only an administrator of this server may do this. Ask an administrator.".to_owned(),
            )),
        }
    }

    /// An audit event of this caller, at the current time.
    pub(super) fn audit_event(
        &self,
        app: &App,
        action: &'static str,
        project: Option<&ProjectId>,
        subject: &str,
        details: &Value,
    ) -> Result<NewAuditEvent, Error> {
        // The trace id lets a later reader, and jobs caused by this event, find the trace.
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

/// The database of this process; an error in a process without one.
pub(super) fn store(app: &App) -> Result<&Store, Error> {
    app.store.as_ref().ok_or_else(|| {
        Error::Unavailable("This process has no database: it was started in a role without one.".to_owned())
    })
}

#[derive(Debug, Clone)]
pub struct ProjectAccess {
    pub project: Project,
    /// Role of the caller in the project.
    pub role: Role,
}

/// Checks that the caller has at least the role `need`. A change (`need` above viewer) is refused in an archived
/// project.
pub(super) async fn authorize_project(
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    need: Role,
) -> Result<ProjectAccess, Error> {
    let access = authorize_project_any_state(app, caller, project, need).await?;
    if need > Role::Viewer && access.project.archived_at.is_some() {
        return Err(Error::Conflict(
            "This project is archived and cannot be changed. Restore it first.".to_owned(),
        ));
    }
    Ok(access)
}

/// The same, without the check for archived projects.
pub(super) async fn authorize_project_any_state(
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    need: Role,
) -> Result<ProjectAccess, Error> {
    let store = store(app)?;
    let role = match &caller.principal {
        Principal::Local => Some(Role::Owner),
        Principal::Service => None,
        Principal::Person(person) => store.find_role(project, &person.id).await?,
    };
    let role = role.ok_or(Error::NotFound("project"))?;
    caller.require_scope(if need == Role::Viewer { Scope::Read } else { Scope::Write })?;
    let project = store.find_project(project).await?;
    if role < need {
        return Err(Error::Forbidden(format!(
            "Your role in this project is {}, and this requires the role {}. Ask an owner of the project.",
            role.as_str(),
            need.as_str()
        )));
    }
    Ok(ProjectAccess { project, role })
}

/// Finds a diagram and checks that the caller has at least the role `need` in its project.
pub(super) async fn authorize_diagram(
    app: &App,
    caller: &Caller,
    diagram: &str,
    need: Role,
) -> Result<(Diagram, ProjectAccess), Error> {
    let id = DiagramId::parse(diagram).map_err(|_| Error::NotFound("diagram"))?;
    let diagram = store(app)?.find_diagram(&id).await?;
    let access = authorize_resource("diagram", app, caller, &diagram.project_id, need).await?;
    Ok((diagram, access))
}

/// Checks access to the project of a resource. A missing membership is reported as `what` not found, so that ids of
/// other projects cannot be probed.
pub(super) async fn authorize_resource(
    what: &'static str,
    app: &App,
    caller: &Caller,
    project: &ProjectId,
    need: Role,
) -> Result<ProjectAccess, Error> {
    authorize_project(app, caller, project, need).await.map_err(|error| match error {
        Error::NotFound(_) => Error::NotFound(what),
        other => other,
    })
}

/// Attempts of an update without an expected revision.
const MAX_TRIES: u32 = 50;

/// Runs an update. Without an expected revision, it is retried when a concurrent change makes it fail.
pub(super) async fn retry_on_conflict<T, F>(
    expected_revision: Option<i64>,
    mut change: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let mut tries = 0;
    loop {
        tries += 1;
        match change().await {
            Err(Error::RevisionMismatch(_)) if expected_revision.is_none() && tries < MAX_TRIES => (),
            done => return done,
        }
    }
}

pub(super) fn project_id(text: &str) -> Result<ProjectId, Error> {
    ProjectId::parse(text).map_err(|_| Error::NotFound("project"))
}
