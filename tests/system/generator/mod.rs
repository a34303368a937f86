//! `cargo blueprint` on copies of this workspace: creating, serving and removing blueprints, and its errors.

mod owned;
mod rejections;
mod served;
