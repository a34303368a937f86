//! `app users`: manages admins directly in the database.

use blueprint_users::admins::{self, ChangedRole};
use clap::{Args, Subcommand};
use cyanotype::Service;
use cyanotype::auth::Role;

use crate::error::CommandError;
use crate::operator;
use crate::print::{columns, to_json};

#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// Grant a user the admin role
    Grant(Change),
    /// Revoke the admin role from a user
    Revoke(Change),
    /// List the admins, with the time of each grant and the operator who made it
    Admins {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The user's e-mail address or id
    #[arg(value_name = "EMAIL|ID")]
    user: String,
    /// Name of the operator for the audit table [default: the system user]
    #[arg(long, value_name = "NAME", value_parser = operator::name)]
    by: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl UsersCommand {
    pub(crate) fn run(self, service: &Service) -> Result<String, CommandError> {
        let routes = service.routes().map_err(|error| CommandError::BadConfiguration(error.to_string()))?;
        if routes.iter().all(|route| route.blueprint != "users") {
            let reason =
                "the blueprint users is not enabled, so this database has no users; add users to blueprints.enabled";
            return Err(CommandError::BadConfiguration(reason.to_owned()));
        }
        match self {
            Self::Grant(change) => change.apply(service, Role::Admin),
            Self::Revoke(change) => change.apply(service, Role::Member),
            Self::Admins { json } => list(service, json),
        }
    }
}

impl Change {
    fn apply(&self, service: &Service, role: Role) -> Result<String, CommandError> {
        let by = operator::given_or_current(self.by.as_deref()).unwrap_or_else(|| "unknown".to_owned());
        let result = service.with_database(async |database| admins::set_role(database, &self.user, role, &by).await);
        self.format(result.map_err(CommandError::NotStarted)?)
    }

    fn format(&self, changed: Option<ChangedRole>) -> Result<String, CommandError> {
        let not_found =
            || CommandError::Other(format!("there is no user {}; users register with POST /users", self.user));
        let changed_role = changed.ok_or_else(not_found)?;
        if self.json {
            return to_json(&changed_role);
        }
        let ChangedRole { id, email, role, changed } = changed_role;
        let verb = if changed { "is now" } else { "was already" };
        let article = if role.as_str() == "admin" { "an" } else { "a" };
        Ok(format!("{email} ({id}) {verb} {article} {}", role.as_str()))
    }
}

fn list(service: &Service, json: bool) -> Result<String, CommandError> {
    let admins = service.with_database(admins::list).map_err(CommandError::NotStarted)?;
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
