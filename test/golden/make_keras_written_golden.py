"""Writes `keras/written-by-keras.zip`: models, their files, an input and the output, all by Keras itself.

Run with Keras 3.15.1 and any backend: `KERAS_BACKEND=numpy python3 make_keras_written_golden.py`. Weights are random.
"""

import json
import os
import tempfile
import zipfile

import keras
import numpy
from keras import layers as L

random = numpy.random.default_rng(1)


def recurrent(vectors):
    x = L.LSTM(4, return_sequences=True, activation="relu", recurrent_activation="hard_sigmoid")(vectors)
    x = L.Bidirectional(L.GRU(3, return_sequences=True, dropout=0.1), merge_mode="concat")(x)
    x = L.SimpleRNN(3, return_sequences=True, use_bias=False)(x)
    return L.GRU(2, reset_after=False, go_backwards=True)(x)


def normalized(vectors):
    x = L.TimeDistributed(L.Dense(4, activation="softplus"))(vectors)
    x = L.LayerNormalization(center=False)(x)
    x = L.BatchNormalization()(x)
    x = L.GaussianNoise(0.1)(x)
    x = L.LSTM(3)(x)
    return L.Dense(2, activation="softmax")(L.LayerNormalization(epsilon=1e-5)(x))


def convolved(vectors):
    x = L.Conv1D(4, 3, padding="causal", dilation_rate=2, activation="relu")(vectors)
    x = L.MaxPooling1D(2)(x)
    x = L.DepthwiseConv1D(2, depth_multiplier=2, padding="same")(x)
    x = L.Bidirectional(
        L.LSTM(2, return_sequences=True), backward_layer=L.GRU(2, return_sequences=True, go_backwards=True), merge_mode="sum"
    )(x)
    return L.Dense(3, activation="sigmoid")(L.GlobalAveragePooling1D()(x))


def masked(ids):
    x = L.Embedding(6, 3, mask_zero=True)(ids)
    x = L.Bidirectional(L.LSTM(3, return_sequences=True), merge_mode="ave")(x)
    return L.Dense(2)(L.GRU(4)(x))


def sequential():
    return keras.Sequential(
        [
            L.Input((None, 3)),
            L.Masking(0.0),
            L.GRU(4, return_sequences=True, name="encoder"),
            L.Dropout(0.5),
            L.TimeDistributed(L.Dense(3, activation="relu", name="inner"), name="outer"),
            L.LSTM(2),
            L.Dense(1, name="head"),
        ]
    )


def assign_weights(model):
    for variable in model.variables:
        if "float" not in str(variable.dtype):
            continue
        values = random.normal(0, 0.6, variable.shape).astype("float32")
        variable.assign(abs(values) + 0.1 if "variance" in variable.path else values)


def files_of(model, inputs):
    with tempfile.TemporaryDirectory() as folder:
        for name in ["model.keras", "model.h5"]:
            model.save(os.path.join(folder, name))
        model.save_weights(os.path.join(folder, "model.weights.h5"))
        contents = {name: open(os.path.join(folder, name), "rb").read() for name in os.listdir(folder)}
    outputs = numpy.asarray(model(inputs, training=False))
    contents["case.json"] = json.dumps({"inputs": inputs.tolist(), "outputs": outputs.astype("float64").tolist()}).encode()
    return contents


def functional(build, shape, dtype="float32"):
    inputs = L.Input(shape, dtype=dtype)
    return keras.Model(inputs, build(inputs))


def main():
    vectors = random.normal(0, 1, (3, 8, 3)).astype("float32")
    padded = vectors.copy()
    padded[0, 5:] = 0
    padded[2, 1:] = 0
    ids = numpy.array([[3, 5, 1, 0, 0], [2, 2, 4, 5, 1], [1, 0, 0, 0, 0]], "int32")
    cases = {
        "recurrent": (functional(recurrent, (None, 3)), vectors),
        "normalized": (functional(normalized, (8, 3)), vectors),
        "convolved": (functional(convolved, (None, 3)), vectors),
        "masked": (functional(masked, (None,), "int32"), ids),
        "sequential": (sequential(), padded),
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keras", "written-by-keras.zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, (model, inputs) in cases.items():
            assign_weights(model)
            for file, content in sorted(files_of(model, inputs).items()):
                archive.writestr(zipfile.ZipInfo(f"{name}/{file}"), content, zipfile.ZIP_DEFLATED)
    print(keras.__version__, keras.backend.backend(), os.path.getsize(path))


main()
