package mp4

import (
	"github.com/Eyevinn/mp4ff/mp4"

	"veilbox/capture/footage"
)

// movie builds the movie box around the tables. The offsets are to be filled in
// afterwards.
func movie(ts []*tables, long bool) *mp4.MoovBox {
	mvhd := mp4.CreateMvhd()
	mvhd.Timescale = footage.TicksPerSecond
	mvhd.NextTrackID = uint32(len(ts) + 1)
	moov := mp4.NewMoovBox()
	moov.AddChild(mvhd)
	for i, t := range ts {
		t.offsets = newOffsets(len(t.chunkSizes), long)
		moov.AddChild(t.trak(uint32(i + 1)))
		mvhd.Duration = max(mvhd.Duration, uint64(t.track.Edit.Delay+t.shown))
	}
	if mvhd.Duration > 0xffff_ffff {
		mvhd.Version = 1
	}
	for i, t := range ts { // one version for all, as the longest track needs it
		if t.track.Edit.Start > 0x7fff_ffff {
			mvhd.Version = 1
		}
		moov.Traks[i].Tkhd.Version = max(moov.Traks[i].Tkhd.Version, mvhd.Version)
	}
	return moov
}

func (t *tables) trak(id uint32) *mp4.TrakBox {
	stsd := mp4.NewStsdBox()
	for _, e := range t.entries {
		stsd.AddChild(e)
	}
	stbl := mp4.NewStblBox()
	stbl.AddChild(stsd)
	stbl.AddChild(t.stts)
	if t.shifted {
		stbl.AddChild(t.ctts)
	}
	if t.keys != t.n {
		stbl.AddChild(t.stss)
	}
	stbl.AddChild(t.stsc)
	stbl.AddChild(t.stsz)
	stbl.AddChild(t.offsets.box())

	dinf := &mp4.DinfBox{}
	dinf.AddChild(mp4.CreateDref())
	minf := mp4.NewMinfBox()
	if t.sound() {
		minf.AddChild(mp4.CreateSmhd())
	} else {
		minf.AddChild(mp4.CreateVmhd())
	}
	minf.AddChild(dinf)
	minf.AddChild(stbl)

	mdhd := &mp4.MdhdBox{Timescale: uint32(t.scale), Duration: uint64(t.duration)}
	if t.duration > 0xffff_ffff {
		mdhd.Version = 1
	}
	mdhd.SetLanguage("und")
	hdlr := &mp4.HdlrBox{HandlerType: "vide"}
	if t.sound() {
		hdlr.HandlerType = "soun"
	}
	mdia := mp4.NewMdiaBox()
	mdia.AddChild(mdhd)
	mdia.AddChild(hdlr)
	mdia.AddChild(minf)

	e := t.track.Edit
	tkhd := mp4.CreateTkhd()
	tkhd.TrackID = id
	tkhd.Duration = uint64(e.Delay + t.shown)
	if t.sound() {
		tkhd.Volume = 0x0100
	} else {
		// Where the format changes, a player makes room for the largest.
		var w, h int
		for _, f := range t.track.Formats {
			w, h = max(w, f.Width), max(h, f.Height)
		}
		tkhd.Width, tkhd.Height = mp4.Fixed32(w<<16), mp4.Fixed32(h<<16)
	}
	elst := &mp4.ElstBox{}
	if e.Delay > 0 {
		elst.Entries = append(elst.Entries, mp4.ElstEntry{SegmentDuration: uint64(e.Delay), MediaTime: -1, MediaRateInteger: 1})
	}
	elst.Entries = append(elst.Entries, mp4.ElstEntry{SegmentDuration: uint64(t.shown), MediaTime: e.Start, MediaRateInteger: 1})
	if tkhd.Duration > 0xffff_ffff || e.Start > 0x7fff_ffff {
		tkhd.Version, elst.Version = 1, 1
	}

	trak := mp4.NewTrakBox()
	trak.AddChild(tkhd)
	if t.edited {
		edts := &mp4.EdtsBox{}
		edts.AddChild(elst)
		trak.AddChild(edts)
	}
	trak.AddChild(mdia)
	return trak
}
