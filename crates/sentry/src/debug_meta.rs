//! The binaries of a stack, by whose build ids Sentry finds the debug files that name the functions.

use std::borrow::Cow;

use cyanotype_telemetry::image::Image;
use cyanotype_telemetry::stack::Stack;
use sentry::protocol::{DebugImage, DebugMeta, SymbolicDebugImage};
use sentry::types::{CodeId, DebugId, Uuid};

/// The images of a stack's frames that have a build id.
pub(crate) fn of(stack: &Stack) -> Cow<'static, DebugMeta> {
    let mut images: Vec<&Image> = stack.frames().iter().filter_map(|frame| frame.image).collect();
    images.sort_by_key(|image| image.address);
    images.dedup();
    let images = images.into_iter().filter_map(debug_image).collect();
    Cow::Owned(DebugMeta { images, ..Default::default() })
}

fn debug_image(image: &Image) -> Option<DebugImage> {
    let build_id = image.build_id.as_deref()?;
    let image = SymbolicDebugImage {
        name: image.path.clone(),
        arch: None,
        image_addr: address(image.address),
        image_size: image.size as u64,
        image_vmaddr: address(0),
        id: debug_id(build_id)?,
        code_id: Some(CodeId::from_binary(build_id)),
        debug_file: None,
    };
    Some(image.into())
}

pub(crate) fn address(address: usize) -> sentry::protocol::Addr {
    sentry::protocol::Addr(address as u64)
}

/// The first 16 bytes of a build id as a UUID, whose first three fields are in the byte order of the machine.
fn debug_id(build_id: &[u8]) -> Option<DebugId> {
    let mut bytes = [0; 16];
    let length = build_id.len().min(bytes.len());
    bytes[..length].copy_from_slice(&build_id[..length]);
    if cfg!(target_endian = "little") {
        bytes[0..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
    }
    Uuid::from_slice(&bytes).ok().map(DebugId::from_uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn a_debug_id_is_the_start_of_the_build_id() {
        // As `sentry-cli debug-files check` prints it.
        let build_id = hex(b"eb959b2e91d91d84a96f93e7131967086d5cd0c4");
        let id = debug_id(&build_id).expect("it is long enough");
        assert_eq!(id.to_string(), "2e9b95eb-d991-841d-a96f-93e713196708");
    }

    fn hex(digits: &[u8]) -> Vec<u8> {
        let digit = |digit: u8| (digit as char).to_digit(16).expect("a digit") as u8;
        digits.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }
}
