//! The name that was probably meant.

/// The nearest of some names, if it is near enough to be a slip of the fingers: at most two letters wrong,
/// missing, added or swapped, and at most one in a word of up to four letters.
///
/// ```
/// use larder_syntax::suggest;
///
/// assert_eq!(suggest::nearest("tll", ["ttl", "stale"]), Some("ttl"));
/// assert_eq!(suggest::nearest("colour", ["ttl", "stale"]), None);
/// ```
pub fn nearest<'a>(word: &str, among: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().flat_map(char::to_lowercase).collect();
    let allowed = if word.len() > 4 { 2 } else { 1 };
    let distances = among.into_iter().map(|name| (distance(&word, name), name));
    let (nearest, name) = distances.min_by_key(|(distance, _)| *distance)?;
    (nearest <= allowed && nearest < word.len()).then_some(name)
}

/// How many letters to change, remove, insert or swap with their neighbour (optimal string alignment).
fn distance(word: &[char], name: &str) -> usize {
    let name: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
    let mut before = Vec::new();
    let mut above: Vec<usize> = (0..=name.len()).collect();
    for (row, letter) in word.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in name.iter().enumerate() {
            let changed = above[column] + usize::from(letter != other);
            let mut least = changed.min(above[column + 1] + 1).min(line[column] + 1);
            let swapped =
                row > 0 && column > 0 && *letter == name[column - 1] && word[row - 1] == *other;
            if swapped {
                let kept: &Vec<usize> = &before;
                least = least.min(kept[column - 1] + 1);
            }
            line.push(least);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[name.len()]
}
