// Burns CPU in three functions, 70 : 20 : 10 of the time that the kernel counts, until it has done so many rounds (split.c).
use std::hint::black_box;

mod shop {
    use super::black_box;

    fn burn(n: u64, k: u64) -> u64 {
        let mut sum = 0u64;
        for i in 0..n {
            sum = black_box(sum.wrapping_add(i.wrapping_mul(i).wrapping_add(k)));
        }
        sum
    }

    #[inline(never)]
    pub fn seventy(n: u64) -> u64 {
        burn(n, 7)
    }

    #[inline(never)]
    pub fn twenty(n: u64) -> u64 {
        burn(n, 2)
    }

    #[inline(never)]
    pub fn ten(n: u64) -> u64 {
        burn(n, 1)
    }
}

extern "C" {
    fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
}

fn cpu_ns() -> i64 {
    const PROCESS: i32 = 2; // CLOCK_PROCESS_CPUTIME_ID
    let mut t = [0i64; 2];
    unsafe { clock_gettime(PROCESS, &mut t) };
    t[0] * 1_000_000_000 + t[1]
}

fn main() {
    let rounds: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    let mut length: u32 = 1;
    let mut until = cpu_ns();
    for _ in 0..rounds {
        length = length.wrapping_mul(1_103_515_245).wrapping_add(12_345);
        let tenth = 1_000_000 + i64::from(length >> 8) % 2_000_000;
        until += 7 * tenth;
        while cpu_ns() < until {
            black_box(shop::seventy(200_000));
        }
        until += 2 * tenth;
        while cpu_ns() < until {
            black_box(shop::twenty(200_000));
        }
        until += tenth;
        while cpu_ns() < until {
            black_box(shop::ten(200_000));
        }
    }
}
