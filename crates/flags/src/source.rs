//! Where flags come from.

use std::path::{Path, PathBuf};

use open_feature::{Client, OpenFeature};
use open_feature_flagd::{CacheSettings, CacheType, FlagdOptions, FlagdProvider, ResolverType};

use crate::context::ProcessContext;
use crate::ofrep::Ofrep;

/// Where flags come from.
#[derive(Clone)]
pub enum FlagSource {
    /// A file in [flagd's format](https://flagd.dev/reference/flag-definitions/), evaluated in this process.
    File(PathBuf),
    /// A flag system that speaks the OpenFeature Remote Evaluation Protocol.
    Ofrep {
        /// Its address, below which is `/ofrep/v1`: `https://flags.example`.
        url: String,
        /// A bearer token that it asks for.
        token: Option<String>,
    },
}

impl FlagSource {
    /// What the flags are read from, where this process reads it itself. The error is why it cannot be used.
    pub(crate) async fn content(&self) -> Result<Option<Vec<u8>>, String> {
        let Self::File(path) = self else { return Ok(None) };
        let content = tokio::fs::read(path).await.map_err(|error| format!("{}: {error}", path.display()))?;
        // flagd goes on with what it has read before; here it is as if there were no flags.
        match serde_json::from_slice::<serde_json::Value>(&content) {
            Ok(json) if json.get("flags").is_some_and(serde_json::Value::is_object) => Ok(Some(content)),
            Ok(_) => Err(format!("{} has no object `flags`", path.display())),
            Err(error) => Err(format!("{} is not JSON: {error}", path.display())),
        }
    }

    /// A client of this source, for evaluations in this process. The error is why it cannot be used.
    pub(crate) async fn connect(&self, process: &ProcessContext) -> Result<Client, String> {
        let mut api = OpenFeature::default();
        api.set_evaluation_context(process.context()).await;
        match self {
            Self::File(path) => api.set_provider(flagd_provider(path).await?).await,
            Self::Ofrep { url, token } => api.set_provider(Ofrep::new(url, token.as_deref())?).await,
        }
        Ok(api.create_client())
    }
}

async fn flagd_provider(path: &Path) -> Result<FlagdProvider, String> {
    // It watches the directory of the file, which a bare name does not have.
    let path = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let options = FlagdOptions {
        resolver_type: ResolverType::File,
        source_configuration: Some(path.to_string_lossy().into_owned()),
        // Not `None`: then it would stop reading the file after a thousand changes in its directory.
        cache_settings: Some(CacheSettings { cache_type: CacheType::Disabled, max_size: 1, ttl: None }),
        ..FlagdOptions::default()
    };
    FlagdProvider::new(options).await.map_err(|error| error.to_string())
}
