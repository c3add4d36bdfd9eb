package histogram

import "time"

// The buckets of SkyWalking Rover, by their lower bounds, so that numbers can be put beside its own.
var (
	// RoverTimes are those of its call times and round trip times, in nanoseconds.
	RoverTimes = scaled(10*time.Microsecond, 0, 1, 5, 10, 50, 100, 120, 150, 170, 200, 250, 300, 500, 700, 1000, 1300, 1600, 2000, 2500, 3000, 3500,
		4000, 4500, 5000, 7000, 10000, 15000, 20000, 30000, 50000, 100000, 200000, 300000, 500000)
	// RoverDurations are those of its HTTP durations, in nanoseconds. (Its first bucket begins at 1 ms and holds what is less.)
	RoverDurations = scaled(time.Millisecond, 1, 2, 5, 10, 15, 20, 25, 30, 40, 45, 50, 60, 65, 70, 80, 90, 100, 110, 130, 150, 170, 200, 230, 260,
		290, 330, 380, 430, 480, 500, 600, 700, 800, 900, 1000, 1100, 1300, 1500, 1800, 2000, 5000, 10000, 15000, 20000, 30000)
	// RoverSizes are those of its sizes of messages, in bytes. (The 1,048 is its own.)
	RoverSizes = []uint64{256, 512, 1048, 1536, 2048, 3072, 5120, 8192, 10240, 15360, 20480, 35840, 51200, 76800, 102400, 204800, 512000, 819200,
		1048576, 1572864, 2097152, 5242880, 10485760, 20971520, 52428800}
)

func scaled(unit time.Duration, times ...uint64) []uint64 {
	for i := range times {
		times[i] *= uint64(unit)
	}
	return times
}
