//! Deterministic mutants of good inputs, for the parsers' own tests.

/// How many mutants of its vectors each parser survives.
pub(super) const MUTANTS: usize = 20_000;

/// xorshift64* (Vigna): repeatable, and good enough to pick bytes.
#[derive(Debug)]
pub(super) struct Xorshift(u64);

impl Xorshift {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.max(1))
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// 0 where `bound` is 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits fit") % bound.max(1)
    }
}

/// [`MUTANTS`] inputs, each an original with one to four changes. `tokens` are inserted whole.
pub(super) fn mutants(seed: u64, originals: &[&[u8]], tokens: &[&[u8]]) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Xorshift::new(seed);
    (0..MUTANTS).map(move |_| {
        let mut mutant = originals[random.below(originals.len())].to_vec();
        for _ in 0..=random.below(4) {
            mutate(&mut mutant, originals, tokens, &mut random);
        }
        mutant
    })
}

fn mutate(bytes: &mut Vec<u8>, originals: &[&[u8]], tokens: &[&[u8]], random: &mut Xorshift) {
    let at = random.below(bytes.len() + 1);
    let end = at + random.below(32.min(bytes.len() - at) + 1);
    match random.below(7) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => bytes[at] = random.next().to_le_bytes()[0],
        2 => drop(bytes.drain(at..end)),
        3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
        4 => bytes.truncate(at),
        5 => {
            let other = originals[random.below(originals.len())];
            bytes.splice(at..end, other[random.below(other.len())..].iter().copied());
        }
        _ => drop(bytes.splice(at..at, tokens[random.below(tokens.len())].iter().copied())),
    }
}
