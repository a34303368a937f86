//! `app users`: who is an admin, changed on the database itself.

use blueprint_users::admins::{self, ChangedRole};
use clap::{Args, Subcommand};
use cyanotype::Service;
use cyanotype::auth::Role;

use crate::failed::Failed;
use crate::operator;
use crate::print::{columns, to_json};

#[derive(Debug, Subcommand)]
pub(crate) enum Question {
    /// Make a user an admin
    Grant(Change),
    /// Make an admin a member again
    Revoke(Change),
    /// List the admins, with who granted the role and when
    Admins {
        /// Answer in JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The user's e-mail address or id
    #[arg(value_name = "EMAIL|ID")]
    user: String,
    /// Who makes the change, for the audit; the system's user when not given
    #[arg(long, value_name = "NAME", value_parser = operator::name)]
    by: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

impl Question {
    pub(crate) fn answer(self, service: &Service) -> Result<String, Failed> {
        let routes = service.routes().map_err(|error| Failed::BadConfiguration(error.to_string()))?;
        if routes.iter().all(|route| route.blueprint != "users") {
            let reason = "the blueprint users is not enabled (blueprints.enabled), so this database has no users";
            return Err(Failed::BadConfiguration(reason.to_owned()));
        }
        match self {
            Self::Grant(change) => change.make(service, Role::Admin),
            Self::Revoke(change) => change.make(service, Role::Member),
            Self::Admins { json } => list(service, json),
        }
    }
}

impl Change {
    fn make(&self, service: &Service, role: Role) -> Result<String, Failed> {
        let by = operator::given_or_current(self.by.as_deref()).unwrap_or_else(|| "unknown".to_owned());
        let done = service.with_database(async |database| admins::set_role(database, &self.user, role, &by).await);
        self.shown(done.map_err(Failed::NotStarted)?)
    }

    fn shown(&self, done: Option<ChangedRole>) -> Result<String, Failed> {
        let none = || Failed::Other(format!("there is no user {}; users register by POST /users", self.user));
        let done = done.ok_or_else(none)?;
        if self.json {
            return to_json(&done);
        }
        let ChangedRole { id, email, role, changed } = done;
        let verb = if changed { "is now" } else { "was already" };
        let article = if role.as_str() == "admin" { "an" } else { "a" };
        Ok(format!("{email} ({id}) {verb} {article} {}", role.as_str()))
    }
}

fn list(service: &Service, json: bool) -> Result<String, Failed> {
    let admins = service.with_database(admins::list).map_err(Failed::NotStarted)?;
    if json {
        return to_json(&admins);
    }
    let heading = ["EMAIL", "ID", "GRANTED AT", "GRANTED BY"].map(str::to_owned).to_vec();
    let rows = admins.into_iter().map(|admin| {
        let granted_at = admin.granted_at.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
        vec![admin.email, admin.id.to_string(), granted_at, admin.granted_by.unwrap_or_else(|| "-".to_owned())]
    });
    Ok(columns(&[heading].into_iter().chain(rows).collect::<Vec<_>>()))
}
