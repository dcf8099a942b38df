//! "Did you mean": the known name nearest to one that a person wrote.

/// The candidate most similar to `written`, if any is similar enough to be meant: at most a third of the longer
/// name's characters differ (and never more than three), letter case aside. Ties go to the first candidate.
pub fn nearest<'a>(written: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let (written, known) = (lower.chars().count(), candidate.chars().count());
        let allowed = (written.max(known) / 3).min(3);
        // Names differ at least as much as their lengths do. Comparing costs the product of the lengths, and what
        // was written may be a megabyte long.
        if written.abs_diff(known) > allowed {
            continue;
        }
        let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
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
        assert_eq!(nearest(&"link".repeat(1_000_000), known), None);
    }
}
