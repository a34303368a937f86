//! `cargo blueprint` on copies of this workspace: generated blueprints are served, removal restores the tree, and invalid
//! input is rejected.

mod owned;
mod rejections;
mod served;
