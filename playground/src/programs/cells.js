/** The networks that are compared. Each entry creates a recurrent layer; edit them, or add one, and press Run. */

import { gru, identity, lstm, normal, orthogonal, recurrent, relu, simpleRnn, uniform } from 'bptt';

/** Multiplies the values of an initializer. A gain below 1 makes gradients vanish sooner, above 1 lets them explode. */
const scaled = (initializer, gain) => (shape, random) => {
  const { data } = initializer(shape, random);
  return { shape, data: data.map((value) => gain * value) };
};

export const cells = {
  /** h = tanh(x W + h U + b), with the small random weights that PyTorch uses by default. */
  tanh({ hiddenSize, gain }, options) {
    const small = uniform(-1 / Math.sqrt(hiddenSize), 1 / Math.sqrt(hiddenSize));
    return recurrent(simpleRnn(), {
      hiddenSize,
      inputInitializer: small,
      recurrentInitializer: scaled(small, gain),
      ...options,
    });
  },

  /** The same cell. U is orthogonal, so it preserves the norm of the gradient, and only tanh shrinks it. */
  orthogonal({ hiddenSize, gain }, options) {
    return recurrent(simpleRnn(), { hiddenSize, recurrentInitializer: scaled(orthogonal(), gain), ...options });
  },

  /** h = max(0, x W + h U + b), U = identity (Le, Jaitly and Hinton, 2015): active units pass gradients unchanged. */
  relu({ hiddenSize, gain }, options) {
    return recurrent(simpleRnn({ activation: relu }), {
      hiddenSize,
      inputInitializer: normal(0, 0.1),
      recurrentInitializer: scaled(identity(), gain),
      ...options,
    });
  },

  /** c = f c + i g: along the cell state, the gradient is multiplied by the forget gate alone. */
  lstm({ hiddenSize }, options) {
    return recurrent(lstm(), { hiddenSize, ...options });
  },

  /** h = z h + (1 − z) n: where the update gate z is 1, the state and its gradient pass unchanged. */
  gru({ hiddenSize }, options) {
    return recurrent(gru(), { hiddenSize, ...options });
  },
};
