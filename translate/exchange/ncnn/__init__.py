"""Read models of ncnn (Tencent, BSD-3-Clause): layers in a `.param`, weights in a `.bin`; nothing of ncnn is needed."""
