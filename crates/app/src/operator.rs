//! Who uses the command, for the audit.

/// A name that a line of the audit can show.
pub(crate) fn name(text: &str) -> Result<String, String> {
    const LONGEST: usize = 100;
    let name = text.trim();
    match name.is_empty() || name.chars().count() > LONGEST || name.contains(char::is_control) {
        true => Err(format!("allowed is a name of 1 to {LONGEST} characters without control characters")),
        false => Ok(name.to_owned()),
    }
}

/// The one that is given, else the system's user where the environment has it.
pub(crate) fn given_or_current(given: Option<&str>) -> Option<String> {
    let names = ["SUDO_USER", "LOGNAME", "USER"].into_iter().filter_map(|name| std::env::var(name).ok());
    let mut names = given.map(str::to_owned).into_iter().chain(names);
    names.find_map(|given| name(&given).ok())
}
