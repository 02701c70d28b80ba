//! Columns that fit a terminal.

/// Of the oldest terminals, and of the newest ones by default.
const WIDTH: usize = 80;
const GAP: usize = 2;

/// What is left of a column that is cut.
const NARROWEST: usize = 7;

/// Rows, of which the first is the headings. Where they are too wide, what is in the columns of `may_be_cut` is cut, in this
/// order.
pub(super) fn columns(rows: &[Vec<String>], may_be_cut: &[usize]) -> String {
    let count = rows.first().map_or(0, Vec::len);
    let length = |cell: &String| cell.chars().count();
    let mut widths: Vec<_> =
        (0..count).map(|column| rows.iter().map(|row| length(&row[column])).max().unwrap_or(0)).collect();
    for &column in may_be_cut {
        let all = widths.iter().sum::<usize>() + GAP * count.saturating_sub(1);
        let narrowest = widths[column].min(NARROWEST);
        widths[column] = widths[column].saturating_sub(all.saturating_sub(WIDTH)).max(narrowest);
    }
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{:width$}", cut(cell, width)));
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

fn cut(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_owned();
    }
    cell.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

/// In the largest unit that fits, rounded down.
pub(super) fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
    let (size, unit) = units.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((1, "s"));
    format!("{} {unit}", seconds / size)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let rows = [row(&["ID", "RUNS"]), row(&["4711", "vim"])];
        assert_eq!(columns(&rows, &[]), "ID    RUNS\n4711  vim\n");
    }

    #[test]
    fn what_is_too_wide_is_cut_where_it_may_be() {
        let rows = [row(&["ID", "FROM", "RUNS"]), row(&["4711", &"f".repeat(39), &"r".repeat(60)])];
        let text = columns(&rows, &[2, 1]);
        let line = text.lines().last().unwrap();
        assert_eq!(line.chars().count(), 80);
        assert!(line.contains(&"f".repeat(39)) && line.ends_with("rr…"), "{line}");
        let text =
            columns(&[row(&["ID", "FROM", "RUNS"]), row(&[&"i".repeat(40), &"f".repeat(39), "r"])], &[2, 1]);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn a_span_is_told_in_one_unit() {
        for (seconds, expected) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3_599, "59 min"), (7_200, "2 h"), (777_600, "9 d")]
        {
            assert_eq!(span(seconds), expected);
        }
    }
}
