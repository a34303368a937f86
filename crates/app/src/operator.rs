//! The name of the operator, for audit records.

/// Validates a name for an audit record.
pub(crate) fn name(text: &str) -> Result<String, String> {
    const MAX_LENGTH: usize = 100;
    let name = text.trim();
    match name.is_empty() || name.chars().count() > MAX_LENGTH || name.contains(char::is_control) {
        true => Err(format!("a name has 1 to {MAX_LENGTH} characters and no control characters")),
        false => Ok(name.to_owned()),
    }
}

/// The given name, or else the name of the system user from the environment.
pub(crate) fn given_or_current(given: Option<&str>) -> Option<String> {
    let names = ["SUDO_USER", "LOGNAME", "USER"].into_iter().filter_map(|name| std::env::var(name).ok());
    let mut names = given.map(str::to_owned).into_iter().chain(names);
    names.find_map(|given| name(&given).ok())
}
