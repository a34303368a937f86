//! The container image and the compose file of `deploy/container`.
//!
//! Base images are not pulled: the final stage of the shipped Containerfile is built on an image with the libraries of the binary
//! and nothing else, and runs with `buildah run --isolation chroot` on the machine's network.

mod compose;
mod image;
mod life;
mod restart;
mod rights;
