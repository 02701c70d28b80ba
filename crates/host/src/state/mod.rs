//! What is on disk: files under a lock, mappings in them, and what is known of gateways.

pub(crate) mod locked_file;
pub(crate) mod remembered;
pub(crate) mod runtime_directory;
pub(crate) mod saved_mapping;
