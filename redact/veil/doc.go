// Package veil destroys what must not be seen in a frame, and checks that it is
// destroyed in a copy. Everything outside what is shown becomes flat cells.
//
// Shapes and units: a frame is yuv420p, three tightly packed planes of one byte
// a sample, luma of W*H and chroma of a quarter of that. What is shown and what
// is painted are shapes on the grid of blocks of redact/shape, whole in luma and
// in chroma. The cells are fixed in the frame; the last row and column take what
// is left over, so that no cell is smaller than the cell asked for (unless the
// frame is).
//
// # The veil
//
// A cell is a third of the frame's height, cut to whole macroblocks
// (DefaultCell), so that from 192 lines on a head of a quarter of the height is no
// larger than a cell, lies in at most four and seldom fills one; a head of half
// the height spans at most three either way. Its luma has three levels, its
// chroma three, of which the middle one is grey. A level is the mean of the whole
// cell, taken in one frame, held for Hold frames, and changed only when the mean
// has left it by half a step, which is 43 of 256. Options.Solid has no cells.
//
// A cell that is partly shown has the same value as if it were not: the mean of
// the whole cell, shown samples with it. So a silhouette that moves hands out no
// slivers, and whoever takes the shown samples away from the mean learns of the
// rest less than a whole cell says, for the half step that he does not know
// grows as the rest becomes smaller.
//
// All cells change in the same frame. Spread over the frames between keyframes a
// clip of a street became 15 % larger with cells of 48 px and 1 % larger with
// cells of 144; a change at keyframes and one between them cost the same within
// 1 %, so that only the hold itself saves (42 % with cells of 48 px).
//
// # What it was held against
//
//   - Nearest neighbour against originals of the same footage. Newton, Sweeney
//     and Malin 2005 ("Preserving privacy by de-identifying face images", parrot
//     recognition: the gallery is obscured like the probe) and Dufaux and
//     Ebrahimi 2010 ("A framework for the validation of privacy protection
//     solutions in video surveillance") found that pixelation and blur of usual
//     strength barely hinder it. Here the attacker has a picture of everybody
//     from another time, the background without them, place and size to the
//     pixel, and the grid. Of 40 drawn people with heads of a third, a sixth and
//     a twelfth of the height, 240 trials each, he names 6 to 12 where chance gives
//     6, and once in a thousand runs more than 15; of 32 people of a real street,
//     146 trials, 4 where chance gives 4.6 and seldom more than 12. Behind a mosaic of 8 px he names 34
//     of 40, and 22 of 146 (TestFacesAreAtChance, TestStreetIsAtChance).
//   - Dictionaries: Hill, Zhou, Saul and Shacham 2016 ("On the (in)effectiveness
//     of mosaicing and blurring as tools for document redaction") read mosaicked
//     text with hidden Markov models. A line of text is a small part of a cell.
//   - Trained recognisers: McPherson, Shokri and Shmatikov 2016 ("Defeating image
//     obfuscation with deep learning") name faces behind mosaics of up to 16x16
//     px in crops of some 100 to 200 px, at rates far above chance. They learn
//     from tens to hundreds of cells a face; here there are at most four. No network
//     was trained for this; the bound is that a cell carries under 1.6 bits of
//     luma, and mostly none of chroma.
//   - Super-resolution over frames (Tsai and Huang 1984, and all that followed)
//     needs samples at many sub-cell shifts, or noise that dithers the levels.
//     The mean of 100 frames of a moving texture under flickering light, brought
//     back by its motion, correlates with the truth at 0.36, one frame at 0.33;
//     where cells are taken anew in each frame at 0.74 (TestFramesTogetherTellNoMore).
//
// # What it does not hold
//
// Brightness, in three levels, of what fills a cell: a head much larger than a
// third of the frame, a coat near the lens, a lamp. Whoever knows that one of few
// people is in the picture may tell a dark coat from a pale one in time; with
// cells of an eighth of the height and four levels the attacker above named 27 of
// 200 where chance gives 5, with less than a fifth of it and three levels 12. Nor does a
// veil hide that something large moved, when, or what is told by what is shown:
// gait, a mirror, a name badge within a silhouette. Solid hides all of the first.
//
// # The check, as a spectrum
//
// By Parseval's theorem the variance of the samples of a cell is the energy of
// all its frequencies but the mean, that is of everything finer than the cell. So
// one bound on it bounds each frequency, and the sum of all. Check bounds it in
// every part of a cell of a quarter of its side (at least 16 px), about the mean
// of the whole cell: a part may have an energy of Tolerance.Energy, 6 steps
// squared for a lossy copy, an amplitude of 2.4 steps of 256 over all frequencies
// together. No sample of the inside may be further from the cell's mean than
// Tolerance.Deviation. Around what is seen 4 px are not measured, for there a
// codec rings; the next 4 px are held to Tolerance.Ring, an amplitude of 6 steps.
// What is painted is held against the scene, block by block.
package veil
