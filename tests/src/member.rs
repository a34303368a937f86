//! Users of the API.

use serde_json::json;

use crate::http::Client;

/// The password of each member.
const PASSWORD: &str = "correct horse battery staple";

/// A user who has logged in.
pub struct Member {
    /// The user's id.
    pub id: String,
    /// The token of the session.
    pub token: String,
}

impl Member {
    /// Registers a user with this name and logs in.
    #[track_caller]
    pub fn register(client: Client, name: &str) -> Self {
        let email = format!("{name}@example.org");
        let user = client.post("/users").json(&json!({"email": email, "password": PASSWORD, "name": name})).send();
        assert_eq!(user.status, 201, "{}", user.text());
        let login = client.post("/users/login").json(&json!({"email": email, "password": PASSWORD})).send();
        assert_eq!(login.status, 200, "{}", login.text());
        let session = login.json();
        let text = |key: &str| session[key].as_str().unwrap_or_else(|| panic!("{key} in {session}")).to_owned();
        Self { id: text("user_id"), token: text("token") }
    }
}
