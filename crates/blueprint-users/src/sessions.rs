//! Whose a token is, told to the other blueprints.

use cyanotype::auth::{Authentication, Authenticator, Caller};

use crate::store::{Store, now};
use crate::token;

pub(crate) struct Sessions {
    store: Store,
}

impl Sessions {
    pub(crate) const fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Authenticator for Sessions {
    fn authenticate<'a>(&'a self, token: &'a str) -> Authentication<'a> {
        Box::pin(async move {
            let owner = self.store.session_owner(&token::hash(token), &now()).await?;
            Ok(owner.map(|id| Caller { id }))
        })
    }
}
