//! Files in volumes: keys, downward API, projections, and the paths they may have.

use super::checks::{Errors, all_required, domain_path, required, required_with};
use super::container::{object_field, resource_field};
use super::labels::selector;
use super::view::Node;
use chainplate_apimachinery::field::Error;

const FILE_MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const DOWNWARD_FIELDS: [&str; 5] =
    ["metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid"];

fn mode(node: &Node<'_, '_>, name: &str, errors: &mut Errors) {
    if let Some(mode) = node.number(name)
        && !(0..=0o777).contains(&mode)
    {
        errors.push(Error::invalid(&node.path.child(name), mode, FILE_MODE));
    }
}

pub(super) fn files(node: &Node<'_, '_>, errors: &mut Errors) {
    mode(node, "defaultMode", errors);
    node.child("items").each(|_, item| key_to_path(item, errors));
}

fn key_to_path(item: &Node<'_, '_>, errors: &mut Errors) {
    all_required(item, &["key", "path"], errors);
    local_path(&item.child("path"), errors);
    mode(item, "mode", errors);
}

pub(super) fn downward(node: &Node<'_, '_>, errors: &mut Errors) {
    mode(node, "defaultMode", errors);
    // Upstream tells the source, not the item.
    node.child("items").each(|_, item| downward_file(&item.at(node.path), errors));
}

fn downward_file(file: &Node<'_, '_>, errors: &mut Errors) {
    required(file, "path", errors);
    local_path(&file.child("path"), errors);
    if let Some(field) = file.some("fieldRef") {
        object_field(&field, &DOWNWARD_FIELDS, true, errors);
        if file.has("resourceFieldRef") {
            let reason = "fieldRef and resourceFieldRef can not be specified simultaneously";
            errors.push(Error::invalid(&file.path, "resource", reason));
        }
    } else if let Some(resource) = file.some("resourceFieldRef") {
        resource_field(&resource, true, errors);
    } else {
        errors.push(Error::required(&file.path, "one of fieldRef and resourceFieldRef is required"));
    }
    mode(file, "mode", errors);
}

pub(super) fn projected(node: &Node<'_, '_>, errors: &mut Errors) {
    mode(node, "defaultMode", errors);
    let mut paths: Vec<&str> = Vec::new();
    node.child("sources").each(|_, source| {
        let mut found = 0;
        for kind in ["secret", "configMap"] {
            let Some(projection) = source.some(kind) else { continue };
            found += 1;
            required(&projection, "name", errors);
            let name = projection.text("name");
            projection.child("items").each(|_, item| {
                key_to_path(item, errors);
                conflict(node, &mut paths, item.text("path"), name, errors);
            });
        }
        if let Some(projection) = source.some("downwardAPI") {
            found += 1;
            projection.child("items").each(|_, item| {
                downward_file(&item.at(projection.path), errors);
                let path = item.text("path");
                conflict(node, &mut paths, path, path, errors);
            });
        }
        if let Some(token) = source.some("serviceAccountToken") {
            found += 1;
            token_lifetime(&token, errors);
            // Upstream tells the volume's path here, not the token's.
            if token.text("path").is_empty() {
                errors.push(Error::required(&node.path.child("path"), ""));
            } else {
                local_path(&token.child("path").at(node.path.child("path")), errors);
            }
        }
        if let Some(bundle) = source.some("clusterTrustBundle") {
            found += 1;
            trust_bundle(&bundle, errors);
            let path = bundle.text("path");
            conflict(node, &mut paths, path, path, errors);
        }
        if let Some(certificate) = source.some("podCertificate") {
            found += 1;
            required(&certificate, "signerName", errors);
            required(&certificate, "keyType", errors);
        }
        if found > 1 {
            errors.push(Error::forbidden(&source.path, "may not specify more than 1 volume type per source"));
        }
    });
}

fn conflict<'v>(
    node: &Node<'_, '_>,
    paths: &mut Vec<&'v str>,
    path: &'v str,
    shown: &str,
    errors: &mut Errors,
) {
    if path.is_empty() {
        return;
    }
    if paths.contains(&path) {
        errors.push(Error::invalid(&node.path, shown, "conflicting duplicate paths"));
    } else {
        paths.push(path);
    }
}

/// How long a service account's token lives: ten minutes to 2^32 seconds.
pub(super) fn token_lifetime(token: &Node<'_, '_>, errors: &mut Errors) {
    let seconds = token.int("expirationSeconds");
    let path = token.path.child("expirationSeconds");
    if seconds < 600 {
        errors.push(Error::invalid(&path, seconds, "may not specify a duration less than 10 minutes"));
    }
    if seconds > 1 << 32 {
        errors.push(Error::invalid(&path, seconds, "may not specify a duration larger than 2^32 seconds"));
    }
}

fn trust_bundle(bundle: &Node<'_, '_>, errors: &mut Errors) {
    match (bundle.has("name"), bundle.has("signerName")) {
        (true, true) => {
            let reason = "only one of name and signerName may be used";
            errors.push(Error::invalid(&bundle.path, bundle.value.clone(), reason));
        }
        (true, false) => {
            required_with(bundle, "name", "must be a valid object name", errors);
            if bundle.has("labelSelector") {
                errors.push(Error::invalid(
                    &bundle.path.child("labelSelector"),
                    bundle.get("labelSelector").clone(),
                    "labelSelector must be unset if name is specified",
                ));
            }
        }
        (false, true) => {
            if required_with(bundle, "signerName", "must be a valid signer name", errors) {
                domain_path(bundle, "signerName", errors);
            }
            selector(&bundle.child("labelSelector"), errors);
        }
        (false, false) => {
            errors.push(Error::required(&bundle.path, "either name or signerName must be specified"));
        }
    }
    required(bundle, "path", errors);
    local_path(&bundle.child("path"), errors);
}

/// A path without `..` (`validatePathNoBacksteps`).
pub(super) fn no_backsteps(node: &Node<'_, '_>, errors: &mut Errors) {
    if node.str().split('/').any(|part| part == "..") {
        errors.push(Error::invalid(&node.path, node.str(), "must not contain '..'"));
    }
}

/// A relative path without `..` (`validateLocalDescendingPath`).
pub(super) fn descending(node: &Node<'_, '_>, errors: &mut Errors) {
    if node.str().starts_with('/') {
        errors.push(Error::invalid(&node.path, node.str(), "must be a relative path"));
    }
    no_backsteps(node, errors);
}

/// A [`descending`] path that does not begin with two dots (`ValidateLocalNonReservedPath`).
pub(super) fn local_path(node: &Node<'_, '_>, errors: &mut Errors) {
    descending(node, errors);
    let text = node.str();
    if text.starts_with("..") && !text.starts_with("../") && text != ".." {
        errors.push(Error::invalid(&node.path, text, "must not start with '..'"));
    }
}
