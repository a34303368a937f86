//! Flag providers.

use std::path::{Path, PathBuf};

use open_feature::{Client, OpenFeature};
use open_feature_flagd::{CacheSettings, CacheType, FlagdOptions, FlagdProvider, ResolverType};

use crate::context::ProcessContext;
use crate::ofrep::Ofrep;

/// The provider of the flags.
#[derive(Clone)]
pub enum FlagSource {
    /// A file in [flagd's format](https://flagd.dev/reference/flag-definitions/), evaluated in this process.
    File(PathBuf),
    /// A server that implements the OpenFeature Remote Evaluation Protocol.
    Ofrep {
        /// Its base URL, without `/ofrep/v1`, such as `https://flags.example`.
        url: String,
        /// The bearer token, if it requires one.
        token: Option<String>,
    },
}

impl FlagSource {
    /// The content of the flag file; `None` for other providers. The error states why the file is unusable.
    pub(crate) async fn content(&self) -> Result<Option<Vec<u8>>, String> {
        let Self::File(path) = self else { return Ok(None) };
        let content = tokio::fs::read(path).await.map_err(|error| format!("{}: {error}", path.display()))?;
        // flagd would continue with the last valid content; here an invalid file counts as unavailable.
        match serde_json::from_slice::<serde_json::Value>(&content) {
            Ok(json) if json.get("flags").is_some_and(serde_json::Value::is_object) => Ok(Some(content)),
            Ok(_) => Err(format!("{}: no object `flags`", path.display())),
            Err(error) => Err(format!("{}: invalid JSON: {error}", path.display())),
        }
    }

    /// Connects to the provider. The error states why it is unavailable.
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
    // flagd watches the parent directory of the file; a bare file name has none.
    let path = std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let options = FlagdOptions {
        resolver_type: ResolverType::File,
        source_configuration: Some(path.to_string_lossy().into_owned()),
        // With `None` the provider would stop reading the file after a thousand changes in its directory.
        cache_settings: Some(CacheSettings { cache_type: CacheType::Disabled, max_size: 1, ttl: None }),
        ..FlagdOptions::default()
    };
    FlagdProvider::new(options).await.map_err(|error| error.to_string())
}
