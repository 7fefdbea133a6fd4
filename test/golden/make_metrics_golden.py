#!/usr/bin/env python3
"""Writes metrics.json: metrics of scikit-learn, with and without weights.

README.md documents how to run it. The inputs are exact in float32.
"""

import json
import os
import platform

import numpy as np
import sklearn
from sklearn import metrics

HERE = os.path.dirname(os.path.abspath(__file__))
N, V, O = 40, 5, 3


def exact(x, digits=8):
    return np.round(x * 2.0**digits) / 2.0**digits


random = np.random.RandomState(51)
weights = exact(random.uniform(0.1, 2, N))
# No target and no prediction is of class 4.
ids = random.randint(0, V - 1, N)
logits = exact(random.normal(0, 1, (N, V)) + 1.5 * np.eye(V)[ids])
logits[:, 4] = -10
two_ids = (random.uniform(0, 1, N) < 0.3).astype(int)
# Multiples of 1/2, so that many scores are equal.
two_logits = exact(random.normal(0, 1, (N, 2)) + 0.7 * np.eye(2)[two_ids], 1)
labels = (random.uniform(0, 1, (N, O)) < [0.5, 0.2, 0.8]).astype(int)
label_logits = exact(random.normal(0, 1, (N, O)) + labels - 0.5, 1)
targets = exact(random.normal(0, 1, (N, 2)) * [1, 0.01] + [0, 100])
predictions = exact(targets + random.normal(0, 1, (N, 2)) * [0.5, 0.02])


def scores(sample_weight):
    options = {"sample_weight": sample_weight}
    predicted, two_predicted, labels_predicted = logits.argmax(1), two_logits.argmax(1), (label_logits > 0).astype(int)
    return {
        "rootMeanSquaredError": np.sqrt(metrics.mean_squared_error(targets.ravel(), predictions.ravel(), sample_weight=None if sample_weight is None else sample_weight.repeat(2))),
        "r2Score": metrics.r2_score(targets, predictions, **options),
        "f1": {
            "two classes": {average: metrics.f1_score(two_ids, two_predicted, average=average, **options) for average in ["binary", "macro", "micro"]},
            "classes": {average: metrics.f1_score(ids, predicted, average=average, **options) for average in ["macro", "micro"]},
            "one label": {average: metrics.f1_score(labels[:, 0], labels_predicted[:, 0], average=average, **options) for average in ["binary"]},
            "labels": {average: metrics.f1_score(labels, labels_predicted, average=average, **options) for average in ["macro", "micro"]},
        },
        "rocAuc": {
            "two classes": metrics.roc_auc_score(two_ids, two_logits[:, 1] - two_logits[:, 0], **options),
            "labels": metrics.roc_auc_score(labels, label_logits, average="macro", **options),
        },
        "topK": [metrics.top_k_accuracy_score(ids, logits, k=k, labels=range(V), **options) for k in [1, 2, 3, 4]],
        "confusion": metrics.confusion_matrix(ids, predicted, labels=range(V), **options).astype(float).tolist(),
    }


content = {
    "source": {"script": "test/golden/make_metrics_golden.py", "numpy": np.__version__, "python": platform.python_version(), "sklearn": sklearn.__version__},
    "weights": weights.tolist(),
    "ids": ids.tolist(),
    "logits": logits.tolist(),
    "twoIds": two_ids.tolist(),
    "twoLogits": two_logits.tolist(),
    "labels": labels.tolist(),
    "labelLogits": label_logits.tolist(),
    "targets": targets.tolist(),
    "predictions": predictions.tolist(),
    "unweighted": scores(None),
    "weighted": scores(weights),
}
with open(os.path.join(HERE, "metrics.json"), "w", encoding="ascii") as f:
    f.write(json.dumps(content, separators=(",", ":"), allow_nan=False) + "\n")
