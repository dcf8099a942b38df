//! "Did you mean": the known name nearest to one that a person wrote.

/// The candidate most similar to `written`, if any is similar enough to be meant: at most a third of the longer
/// name's characters differ (and never more than four), letter case aside. Ties go to the first candidate.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
        let allowed = (lower.chars().count().max(candidate.chars().count()) / 3).min(4);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_what_was_meant_and_nothing_else() {
        let known = ["spreadscaler", "daemonscaler", "link", "runtime"];
        assert_eq!(nearest("spreadscaller", known), Some("spreadscaler"));
        assert_eq!(nearest("Link", known), Some("link"));
        assert_eq!(nearest("lnik", known), Some("link"));
        assert_eq!(nearest("autoscaler", known), None);
        assert_eq!(nearest("", known), None);
    }
}
