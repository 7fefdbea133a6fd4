/** Tests for Jest: the library trains, streams, saves and loads. `name` is that of the test. */
module.exports = (name, bptt) => {
  const { adam, advance, crossEntropy, dense, embedding, fit, intTensor, kernelsInUse, load, lstm, predict } = bptt;
  const { recurrent, save, sequential, stream, windows } = bptt;

  test(name, async () => {
    const model = sequential(
      [embedding({ vocabularySize: 5, size: 4 }), recurrent(lstm(), { hiddenSize: 8 }), dense({ size: 5 })],
      { seed: 1 },
    );
    const data = windows(
      Int32Array.from({ length: 200 }, (_, i) => i % 5),
      { sequenceLength: 10, batchSize: 4 },
    );
    const { losses } = await fit(model, data, { loss: crossEntropy, optimizer: adam(0.02), steps: 60 });
    expect(losses.at(-1)).toBeLessThan(0.5 * losses[0]);
    const { model: loaded } = load(save(model));
    expect(loaded.data).toEqual(model.data);
    const running = stream(loaded);
    advance(running, intTensor([1]));
    const predicted = predict(model, intTensor([[1], [2]])).data.slice(5);
    expect(Array.from(advance(running, intTensor([2])).data)).toEqual(Array.from(predicted));
    expect(kernelsInUse()).toBe('relaxed');
  });
};
