//! The executable and its shared libraries, as loaded into the process.

use std::path::Path;
use std::sync::LazyLock;

use findshlibs::{SharedLibrary, SharedLibraryId, TargetSharedLibrary};

/// The executable or a shared library.
#[derive(Debug, PartialEq, Eq)]
pub struct Image {
    /// Path of its file.
    pub path: String,
    /// The address at which it is loaded.
    pub address: usize,
    /// Its size in memory, in bytes.
    pub size: usize,
    /// The build id that the linker wrote, if it did: the same in a debug file that was split off.
    pub build_id: Option<Vec<u8>>,
    /// Whether it is the executable.
    pub is_executable: bool,
}

impl Image {
    /// The name of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn contains(&self, address: usize) -> bool {
        address.checked_sub(self.address).is_some_and(|offset| offset < self.size)
    }
}

/// The image that contains an address. The list is read once: the service loads no library later.
pub(crate) fn at(address: usize) -> Option<&'static Image> {
    static IMAGES: LazyLock<Vec<Image>> = LazyLock::new(loaded);
    IMAGES.iter().find(|image| image.contains(address))
}

fn loaded() -> Vec<Image> {
    let executable = std::env::current_exe().unwrap_or_default();
    let mut images = Vec::new();
    TargetSharedLibrary::each(|library| {
        let build_id = match library.id() {
            Some(SharedLibraryId::GnuBuildId(id)) => Some(id),
            _ => None,
        };
        let name = Path::new(library.name());
        // The loader lists the executable first, without a name.
        let is_executable = images.is_empty() || name == executable;
        let path = if is_executable { &executable } else { name };
        images.push(Image {
            path: path.to_string_lossy().into_owned(),
            address: library.actual_load_addr().0,
            size: library.len(),
            build_id,
            is_executable,
        });
    });
    images
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_its_image() {
        let own = at(an_address_belongs_to_its_image as *const () as usize).expect("it is in the executable");
        assert!(own.is_executable && own.build_id.is_some(), "{own:?}");
        assert_eq!(Some(own.path.as_ref()), std::env::current_exe().expect("it is known").to_str());
        assert_eq!(at(1), None);
    }
}
