// Burns CPU in three functions, 70 : 20 : 10, until it has done so many rounds.
use std::hint::black_box;

mod shop {
    use super::black_box;

    fn burn(n: u64) -> u64 {
        let mut sum = 0u64;
        for i in 0..n {
            sum = black_box(sum.wrapping_add(i.wrapping_mul(i)));
        }
        sum
    }

    #[inline(never)]
    pub fn seventy(n: u64) -> u64 {
        burn(7 * n)
    }

    #[inline(never)]
    pub fn twenty(n: u64) -> u64 {
        burn(2 * n)
    }

    #[inline(never)]
    pub fn ten(n: u64) -> u64 {
        burn(n)
    }
}

fn main() {
    let rounds: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    for _ in 0..rounds {
        black_box(shop::seventy(100_000));
        black_box(shop::twenty(100_000));
        black_box(shop::ten(100_000));
    }
}
