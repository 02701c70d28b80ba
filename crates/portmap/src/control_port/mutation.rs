//! Damaged packets for the tests of parsers and clients, the same in every run.

/// Hands `count` damaged copies of `seeds` to `check`: bits flipped, bytes replaced, the end cut off or prolonged.
pub(crate) fn each(seeds: &[&[u8]], count: usize, mut check: impl FnMut(&[u8])) {
    let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
    for round in 0..count {
        let mut bytes = seeds[round % seeds.len()].to_vec();
        for _ in 0..random.below(4) {
            damage(&mut bytes, &mut random);
        }
        check(&bytes);
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut Xorshift) {
    let at = random.below(bytes.len().max(1));
    match (random.below(6), bytes.get_mut(at)) {
        (0, _) => bytes.truncate(at),
        (1, _) => bytes.resize(bytes.len() + random.below(1200), random.byte()),
        (2 | 3, Some(byte)) => *byte ^= 1 << random.below(8),
        (_, Some(byte)) => *byte = random.byte(),
        (_, None) => bytes.push(random.byte()),
    }
}

struct Xorshift(u64);

impl Xorshift {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}
