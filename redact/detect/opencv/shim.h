// The C side of package opencv. Boxes are in samples of the frame, by descending
// score. An error is a text in err, VD_TEXT bytes with its 0.
#ifndef VEILBOX_DETECT_SHIM_H
#define VEILBOX_DETECT_SHIM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { VD_TEXT = 512, VD_CLASSES = 16, VD_PERSON = 1, VD_FACE = 2 };

typedef struct {
    int kind;
    float x, y, w, h, score;
} vd_box;

typedef struct {
    int width, height, detail, threads;
    float threshold;
    int planes, in_width, in_height; // of a model
    int classes, class_index[VD_CLASSES], class_kind[VD_CLASSES];
} vd_options;

typedef struct vd_detector vd_detector;

const char *vd_version(void);

// model and cascade may be NULL and are not kept. The result is NULL with err.
vd_detector *vd_new(const vd_options *o, const unsigned char *model, size_t model_len,
                    const unsigned char *cascade, size_t cascade_len, char *err);

// The result is how many boxes were found, at most max, or -1 with err.
int vd_frame(vd_detector *d, const unsigned char *luma, vd_box *out, int max, char *err);

#ifdef __cplusplus
}
#endif
#endif
