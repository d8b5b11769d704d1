//! rdb(5).
pub(super) fn page() -> String {
    String::new()
}
