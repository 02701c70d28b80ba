//! Points of time as people and programs read them (RFC 3339), in UTC.

use std::time::Duration;

const SECONDS_OF_A_DAY: u64 = 86_400;

/// From 1 March of the year 0, after which a leap day is always the last of its year, to 1 January 1970.
const DAYS_BEFORE_1970: u64 = 719_468;

/// In the Gregorian calendar everything comes again after these.
const DAYS_OF_400_YEARS: u64 = 146_097;

/// To the microsecond.
pub(crate) fn timestamp(since_1970: Duration) -> String {
    let seconds = since_1970.as_secs();
    let (year, month, day) = date(seconds / SECONDS_OF_A_DAY);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let microseconds = since_1970.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microseconds:06}Z")
}

/// Year, month and day of the month.
fn date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + DAYS_BEFORE_1970;
    let (round, day) = (days / DAYS_OF_400_YEARS, days % DAYS_OF_400_YEARS);
    // Without the leap days that are over: one in 4 years, none in 100, one in 400.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    // From March on five months have 153 days, again and again.
    let months = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * months + 2) / 5 + 1;
    let month = if months < 10 { months + 3 } else { months - 9 };
    (400 * round + year + u64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `date --utc --date=@SECONDS` has them.
    #[test]
    fn it_is_the_date_that_others_tell() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (68_169_599, "1972-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000000Z"),
            (1_709_251_200, "2024-03-01T00:00:00.000000Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000000Z"),
            (4_107_542_399, "2100-02-28T23:59:59.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(timestamp(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(timestamp(Duration::from_micros(1_000_007)), "1970-01-01T00:00:01.000007Z");
    }

    #[test]
    fn each_day_follows_the_one_before() {
        let mut before = date(0);
        for days in 1..DAYS_OF_400_YEARS {
            let (year, month, day) = date(days);
            let is_next = match before {
                (last_year, 12, 31) => (year, month, day) == (last_year + 1, 1, 1),
                (last_year, last_month, last_day) if day == 1 => {
                    (year, month) == (last_year, last_month + 1) && (28..=31).contains(&last_day)
                }
                (last_year, last_month, last_day) => {
                    (year, month, day) == (last_year, last_month, last_day + 1)
                }
            };
            assert!(is_next, "{before:?} {:?}", (year, month, day));
            before = (year, month, day);
        }
    }
}
