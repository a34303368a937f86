//! The API document: each blueprint's part, and what they have in common: problems, who is calling, what any route answers.

mod common;
pub(crate) mod pages;

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{Components, InfoBuilder, OpenApi};

use crate::registry::Enabled;

/// The document of these blueprints.
pub(crate) fn document(name: &str, version: &str, blueprints: &[Enabled]) -> OpenApi {
    let info = InfoBuilder::new().title(name).version(version).description(Some(common::DESCRIPTION)).build();
    let mut document = OpenApi::new(info, utoipa::openapi::Paths::new());
    let mut tags = Vec::new();
    for Enabled { blueprint, .. } in blueprints {
        let mut part = blueprint.api();
        let description = std::mem::take(&mut part.info.description);
        tags.push(TagBuilder::new().name(blueprint.name()).description(description).build());
        for (path, item) in &mut part.paths.paths {
            for operation in operations(item) {
                operation.tags = Some(vec![blueprint.name().to_owned()]);
                // Operations of two blueprints may have the same name.
                let own = operation.operation_id.take().unwrap_or_default();
                operation.operation_id = Some(format!("{}_{own}", blueprint.name().replace('-', "_")));
                common::complete(operation, path);
            }
        }
        document.merge(part);
    }
    document.tags = Some(tags);
    common::add_to(document.components.get_or_insert_with(Components::new));
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}
