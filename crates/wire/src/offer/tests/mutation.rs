//! Deterministic mutants of a line.

pub(super) const MUTANTS: usize = 20_000;

const TOKENS: [&[u8]; 10] = [
    b"MOSHPUNCH OFFER ",
    b" host=",
    b" mapped=[2001:db8::1]:1",
    b" pinhole=20.0.0.1:65535",
    b" more",
    b"99999999999999999999",
    b"\r\n",
    b"\xff\x00",
    b"[fe80::1%1]",
    &[b' '; 1000],
];

/// xorshift64* (Vigna): repeatable, and good enough to pick bytes.
struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 33).expect("31 bits fit") % bound
    }
}

/// [`MUTANTS`] lines, each the original with one to four changes.
pub(super) fn mutants(original: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut random = Xorshift(1);
    (0..MUTANTS).map(move |_| {
        let mut mutant = original.to_vec();
        for _ in 0..=random.below(4) {
            mutate(&mut mutant, &mut random);
        }
        mutant
    })
}

fn mutate(line: &mut Vec<u8>, random: &mut Xorshift) {
    let at = random.below(line.len() + 1);
    let end = at + random.below(32.min(line.len() - at) + 1);
    match random.below(6) {
        0 if at < line.len() => line[at] ^= 1 << random.below(8),
        1 if at < line.len() => line[at] = random.next().to_le_bytes()[0],
        2 => drop(line.drain(at..end)),
        3 => drop(line.splice(at..at, line[at..end].to_vec())),
        4 => line.truncate(at),
        _ => drop(line.splice(at..at, TOKENS[random.below(TOKENS.len())].iter().copied())),
    }
}
