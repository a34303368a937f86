//! `cargo blueprint`: from a name to a served route and back to the same tree, and all that it refuses. On copies of this
//! workspace.

mod owned;
mod rejections;
mod served;
