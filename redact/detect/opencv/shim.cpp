//go:build opencv && cgo

#include "shim.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/core/ocl.hpp>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

namespace {

const int max_candidates = 131072;
const int max_classes = 1000;
const float nms_overlap = 0.45f;

void say(char *err, const char *text) { std::snprintf(err, VD_TEXT, "%s", text); }

[[noreturn]] void refuse(const std::string &text) { throw std::runtime_error(text); }

cv::Size2f fit(int width, int height, double scale) {
    return {float(std::max(1.0, std::round(width * scale))), float(std::max(1.0, std::round(height * scale)))};
}

void scaled(const cv::Mat &from, cv::Mat &to, const cv::Size &size) {
    cv::resize(from, to, size, 0, 0, size.width < from.cols ? cv::INTER_AREA : cv::INTER_LINEAR);
}

// best keeps of boxes of one kind that overlap the one with the best score.
void best(const std::vector<vd_box> &all, int kind, float threshold, std::vector<vd_box> &out) {
    std::vector<cv::Rect2d> rects;
    std::vector<float> scores;
    std::vector<size_t> from;
    std::vector<int> keep;
    for (size_t i = 0; i < all.size(); i++) {
        if (all[i].kind == kind) {
            rects.emplace_back(all[i].x, all[i].y, all[i].w, all[i].h);
            scores.push_back(all[i].score);
            from.push_back(i);
        }
    }
    if (rects.empty()) return;
    cv::dnn::NMSBoxes(rects, scores, threshold, nms_overlap, keep);
    for (int i : keep) out.push_back(all[from[i]]);
}

class persons {
    // Who is far off is found in a large picture; who is near, in a small one
    // with finer steps of size, which costs little there.
    struct pass {
        cv::Size size;
        double step;
    };
    std::vector<pass> passes;
    cv::HOGDescriptor hog;
    cv::Mat work;

public:
    explicit persons(const vd_options &o) {
        hog.setSVMDetector(cv::HOGDescriptor::getDefaultPeopleDetector());
        int side = std::max(o.width, o.height);
        // More than four times as large is made of samples that are not there.
        passes.push_back({fit(o.width, o.height, std::min(4.0, double(o.detail) / side)), 1.1});
        const double near = 400;
        if (o.detail > near) passes.push_back({fit(o.width, o.height, std::min(4.0, near / side)), 1.05});
    }

    void find(const cv::Mat &frame, float threshold, std::vector<vd_box> &out) {
        std::vector<vd_box> found, kept;
        for (const pass &p : passes) look(frame, p, threshold, found);
        best(found, VD_PERSON, threshold, kept);
        for (const vd_box &b : kept)
            if (!around(b, kept)) out.push_back(b);
    }

private:
    void look(const cv::Mat &frame, const pass &p, float threshold, std::vector<vd_box> &found) {
        if (p.size.width < hog.winSize.width || p.size.height < hog.winSize.height) return;
        scaled(frame, work, p.size);
        std::vector<cv::Rect> rects;
        std::vector<double> weights;
        hog.detectMultiScale(work, rects, weights, 0, cv::Size(8, 8), cv::Size(16, 16), p.step, 2.0);
        double sx = double(frame.cols) / p.size.width, sy = double(frame.rows) / p.size.height;
        for (size_t i = 0; i < rects.size(); i++) {
            // The window has a margin around who stands in it.
            double w = std::max(weights[i], 0.0), mx = rects[i].width * 0.18, my = rects[i].height * 0.09;
            vd_box b = {VD_PERSON, float((rects[i].x + mx) * sx), float((rects[i].y + my) * sy),
                        float((rects[i].width - 2 * mx) * sx), float((rects[i].height - 2 * my) * sy), float(w / (1 + w))};
            if (b.score >= threshold) found.push_back(b);
        }
    }

    // around tells whether b only surrounds somebody smaller who is surer.
    static bool around(const vd_box &b, const std::vector<vd_box> &all) {
        for (const vd_box &s : all) {
            float w = std::min(b.x + b.w, s.x + s.w) - std::max(b.x, s.x), h = std::min(b.y + b.h, s.y + s.h) - std::max(b.y, s.y);
            if (s.score > b.score && s.w * s.h < 0.5f * b.w * b.h && w > 0 && h > 0 && w * h > 0.8f * s.w * s.h) return true;
        }
        return false;
    }
};

class faces {
    cv::CascadeClassifier cascade;
    cv::Size size;
    cv::Mat work;

public:
    faces(const vd_options &o, const unsigned char *text, size_t len) {
        cv::FileStorage file(std::string(reinterpret_cast<const char *>(text), len), cv::FileStorage::READ | cv::FileStorage::MEMORY);
        if (!file.isOpened() || !cascade.read(file.getFirstTopLevelNode())) refuse("the cascade cannot be read: give one of OpenCV, in XML");
        size = fit(o.width, o.height, std::min(4.0, 640.0 / std::max(o.width, o.height)));
    }

    void find(const cv::Mat &frame, float threshold, std::vector<vd_box> &out) {
        std::vector<cv::Rect> rects;
        std::vector<int> hits;
        scaled(frame, work, size);
        cascade.detectMultiScale(work, rects, hits, 1.15, 3, 0, cv::Size(20, 20));
        double sx = double(frame.cols) / size.width, sy = double(frame.rows) / size.height;
        for (size_t i = 0; i < rects.size(); i++) {
            vd_box b = {VD_FACE, float(rects[i].x * sx), float(rects[i].y * sy), float(rects[i].width * sx),
                        float(rects[i].height * sy), hits[i] / (hits[i] + 3.0f)};
            if (b.score >= threshold) out.push_back(b);
        }
    }
};

class model {
    cv::dnn::Net net;
    vd_options o;
    std::string out_name;
    double scale;
    int left, top;
    cv::Mat small, canvas, blob;

public:
    model(const vd_options &options, const unsigned char *bytes, size_t len) : o(options) {
        net = cv::dnn::readNetFromONNX(reinterpret_cast<const char *>(bytes), len);
        if (net.empty()) refuse("it holds no network");
        net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
        net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
        std::vector<std::string> outs = net.getUnconnectedOutLayersNames();
        if (outs.size() != 1) refuse("it has " + std::to_string(outs.size()) + " outputs, not one");
        out_name = outs[0];
        scale = std::min(double(o.in_width) / o.width, double(o.in_height) / o.height);
        cv::Size inner = fit(o.width, o.height, scale);
        inner.width = std::min(inner.width, o.in_width);
        inner.height = std::min(inner.height, o.in_height);
        left = (o.in_width - inner.width) / 2;
        top = (o.in_height - inner.height) / 2;
        canvas.create(o.in_height, o.in_width, CV_32F);
        canvas.setTo(114.0 / 255);
        small.create(inner, CV_8U);
        int dims[4] = {1, o.planes, o.in_height, o.in_width};
        blob.create(4, dims, CV_32F);
        // One frame of grey shows whether it runs, and what it gives.
        std::vector<vd_box> none;
        cv::Mat grey(o.height, o.width, CV_8U, cv::Scalar(114));
        find(grey, 1, none);
    }

    void find(const cv::Mat &frame, float threshold, std::vector<vd_box> &out) {
        scaled(frame, small, small.size());
        small.convertTo(canvas(cv::Rect(left, top, small.cols, small.rows)), CV_32F, 1.0 / 255);
        for (int p = 0; p < o.planes; p++) {
            cv::Mat plane(o.in_height, o.in_width, CV_32F, blob.ptr<float>(0, p));
            canvas.copyTo(plane);
        }
        net.setInput(blob);
        read(net.forward(out_name), threshold, out);
    }

private:
    void read(const cv::Mat &m, float threshold, std::vector<vd_box> &out) const {
        if (m.dims != 3 || m.size[0] != 1 || m.type() != CV_32F || !m.isContinuous() || m.size[1] == m.size[2]) refuse("its output has the " + shape(m));
        bool rows = m.size[1] > m.size[2]; // a candidate is a row
        int n = std::max(m.size[1], m.size[2]), values = std::min(m.size[1], m.size[2]), first = rows ? 5 : 4;
        int classes = values - first;
        if (classes < 1 || classes > max_classes || n > max_candidates) refuse("its output has the " + shape(m));
        for (int c = 0; c < o.classes; c++)
            if (o.class_index[c] >= classes)
                refuse("it has " + std::to_string(classes) + " classes, and class " + std::to_string(o.class_index[c]) + " is asked for");
        const float *p = m.ptr<float>();
        auto at = [&](int i, int v) { return rows ? p[size_t(i) * values + v] : p[size_t(v) * n + i]; };
        std::vector<vd_box> all;
        for (int i = 0; i < n; i++) {
            vd_box b = {0, 0, 0, 0, 0, -1};
            for (int c = 0; c < o.classes; c++) {
                float s = probability(at(i, first + o.class_index[c]));
                if (s > b.score) b.score = s, b.kind = o.class_kind[c];
            }
            if (rows) b.score *= probability(at(i, 4));
            if (b.score < threshold) continue;
            float w = coordinate(at(i, 2)), h = coordinate(at(i, 3));
            b.x = float((coordinate(at(i, 0)) - w / 2 - left) / scale);
            b.y = float((coordinate(at(i, 1)) - h / 2 - top) / scale);
            b.w = float(w / scale);
            b.h = float(h / scale);
            if (w < 0 || h < 0) refuse("a box of it has a negative size");
            all.push_back(b);
        }
        // Suppression is quadratic; a model that sees thousands sees nothing.
        const size_t most = 4096;
        if (all.size() > most) {
            std::nth_element(all.begin(), all.begin() + most, all.end(), [](const vd_box &a, const vd_box &b) { return a.score > b.score; });
            all.resize(most);
        }
        best(all, VD_PERSON, threshold, out);
        best(all, VD_FACE, threshold, out);
    }

    // Rounding may carry a probability a little past its end.
    static float probability(float v) {
        if (!(v >= -0.001f && v <= 1.001f)) refuse("a score of it is " + std::to_string(v) + ", not 0 to 1: export it with its last activation");
        return std::min(1.0f, std::max(0.0f, v));
    }

    float coordinate(float v) const {
        if (!(std::abs(v) <= 4.0f * std::max(o.in_width, o.in_height))) refuse("a coordinate of it is " + std::to_string(v) + ", far outside its input");
        return v;
    }

    static std::string shape(const cv::Mat &m) {
        std::string s = "shape";
        for (int i = 0; i < m.dims && i < 8; i++) s += (i ? " x " : " ") + std::to_string(m.size[i]);
        return s + ", not 1 x N x (5 + classes) or 1 x (4 + classes) x N of float32";
    }
};

} // namespace

struct vd_detector {
    vd_options o;
    std::unique_ptr<persons> people;
    std::unique_ptr<faces> face;
    std::unique_ptr<model> net;
};

const char *vd_version(void) { return CV_VERSION; }

vd_detector *vd_new(const vd_options *o, const unsigned char *bytes, size_t len, const unsigned char *cascade, size_t cascade_len, char *err) {
    try {
        cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_SILENT);
        cv::redirectError([](int, const char *, const char *, const char *, int, void *) { return 0; });
        cv::setNumThreads(o->threads);
        cv::ocl::setUseOpenCL(false); // or it would look for drivers
        std::unique_ptr<vd_detector> d(new vd_detector{*o, nullptr, nullptr, nullptr});
        if (bytes)
            d->net.reset(new model(*o, bytes, len));
        else
            d->people.reset(new persons(*o));
        if (cascade) d->face.reset(new faces(*o, cascade, cascade_len));
        return d.release();
    } catch (const std::exception &e) {
        say(err, e.what());
    } catch (...) {
        say(err, "OpenCV failed without a word");
    }
    return nullptr;
}

int vd_frame(vd_detector *d, const unsigned char *luma, vd_box *out, int max, char *err) {
    try {
        const cv::Mat frame(d->o.height, d->o.width, CV_8U, const_cast<unsigned char *>(luma));
        std::vector<vd_box> found;
        if (d->people) d->people->find(frame, d->o.threshold, found);
        if (d->net) d->net->find(frame, d->o.threshold, found);
        if (d->face) d->face->find(frame, d->o.threshold, found);
        std::sort(found.begin(), found.end(), [](const vd_box &a, const vd_box &b) { return a.score > b.score; });
        int n = int(std::min(found.size(), size_t(max)));
        std::copy(found.begin(), found.begin() + n, out);
        return n;
    } catch (const std::exception &e) {
        say(err, e.what());
    } catch (...) {
        say(err, "OpenCV failed without a word");
    }
    return -1;
}
