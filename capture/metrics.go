package capture

import "github.com/prometheus/client_golang/prometheus"

// A collector reads the metrics off Health when they are asked for, so that
// recording itself pays nothing.
type collector struct {
	s        *Supervisor
	up       *prometheus.Desc
	state    *prometheus.Desc
	lastKey  *prometheus.Desc
	lastPart *prometheus.Desc
	ahead    *prometheus.Desc
	viewers  *prometheus.Desc
	counts   []counted
}

type counted struct {
	desc *prometheus.Desc
	of   func(*Counters) uint64
}

var states = []State{Connecting, Describing, WaitingForKeyframe, Recording, Stalled, Failed, Storage, Unwritten}

func newCollector(s *Supervisor) *collector {
	desc := func(name, help string, more ...string) *prometheus.Desc {
		return prometheus.NewDesc("veilbox_capture_"+name, help, append([]string{"camera"}, more...), nil)
	}
	c := &collector{
		s:        s,
		up:       desc("recording", "1 while the camera is recorded."),
		state:    desc("state", "1 for the state that the camera is in.", "state"),
		lastKey:  desc("last_keyframe_seconds", "Unix time of the last keyframe's arrival."),
		lastPart: desc("last_part_seconds", "Unix time of the last part stored."),
		ahead:    desc("ahead_seconds", "How far recorded time runs before the clock."),
		viewers:  desc("viewers", "Live viewers."),
	}
	for _, k := range []struct {
		name, help string
		of         func(*Counters) uint64
	}{
		{"sessions_total", "Sessions that reached a keyframe.", func(c *Counters) uint64 { return c.Sessions }},
		{"units_total", "Pictures received.", func(c *Counters) uint64 { return c.Units }},
		{"bytes_total", "Bytes of video received.", func(c *Counters) uint64 { return c.Bytes }},
		{"parts_total", "Parts stored.", func(c *Counters) uint64 { return c.Parts }},
		{"part_bytes_total", "Bytes of parts stored.", func(c *Counters) uint64 { return c.PartBytes }},
		{"lost_packets_total", "Packets missing from the sequence.", func(c *Counters) uint64 { return c.LostPackets }},
		{"malformed_total", "Packets and parameter sets that hold no sense.", func(c *Counters) uint64 { return c.Malformed }},
		{"dropped_units_total", "Pictures that came damaged or too big.", func(c *Counters) uint64 { return c.DroppedUnits }},
		{"rogue_times_total", "Time stamps replaced by the clock of arrival.", func(c *Counters) uint64 { return c.RogueTimes }},
		{"dropped_gops_total", "GOPs dropped for want of storage.", func(c *Counters) uint64 { return c.DroppedGOPs }},
		{"drifts_total", "Corrections of the camera's clock.", func(c *Counters) uint64 { return c.Drifts }},
		{"clock_steps_total", "Steps of the box's clock.", func(c *Counters) uint64 { return c.ClockSteps }},
		{"gaps_total", "Pauses of the stream and jumps of a clock, more than 5 s each.", func(c *Counters) uint64 { return c.Gaps }},
		{"refused_parts_total", "Parts that the store refused for good.", func(c *Counters) uint64 { return c.RefusedParts }},
		{"storage_errors_total", "Times that the store failed.", func(c *Counters) uint64 { return c.StorageErrors }},
		{"dropped_parts_total", "Parts that the store could not take for 30 s.", func(c *Counters) uint64 { return c.DroppedParts }},
		{"unstored_units_total", "Pictures that were received and not stored.", func(c *Counters) uint64 { return c.UnstoredUnits }},
		{"format_changes_total", "Changes of the pictures' format within a session.", func(c *Counters) uint64 { return c.FormatChanges }},
		{"audio_units_total", "Units of sound received.", func(c *Counters) uint64 { return c.AudioUnits }},
		{"audio_dropped_total", "Units of sound that came damaged or were not stored.", func(c *Counters) uint64 { return c.AudioDropped }},
		{"audio_reanchored_total", "Times that the sound was tied to the pictures anew, more than 500 ms off.", func(c *Counters) uint64 { return c.AudioReanchored }},
	} {
		c.counts = append(c.counts, counted{desc(k.name, k.help), k.of})
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.up, c.state, c.lastKey, c.lastPart, c.ahead, c.viewers} {
		ch <- d
	}
	for _, k := range c.counts {
		ch <- k.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, h := range c.s.Health() {
		cam := string(h.Camera)
		gauge := func(d *prometheus.Desc, v float64, more ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append([]string{cam}, more...)...)
		}
		flag := func(on bool) float64 {
			if on {
				return 1
			}
			return 0
		}
		gauge(c.up, flag(h.State == Recording))
		for _, s := range states {
			gauge(c.state, flag(h.State == s), string(s))
		}
		if !h.LastKeyframe.IsZero() {
			gauge(c.lastKey, float64(h.LastKeyframe.UnixMilli())/1000)
		}
		if !h.LastPart.IsZero() {
			gauge(c.lastPart, float64(h.LastPart.UnixMilli())/1000)
		}
		gauge(c.ahead, h.Ahead.Seconds())
		gauge(c.viewers, float64(h.Viewers))
		for _, k := range c.counts {
			ch <- prometheus.MustNewConstMetric(k.desc, prometheus.CounterValue, float64(k.of(&h.Counters)), cam)
		}
	}
}
