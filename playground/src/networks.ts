/** The networks of `cells.js` that the page has controls for. */

export const networkNames = ['tanh', 'orthogonal', 'relu', 'lstm', 'gru'] as const;
export type NetworkName = (typeof networkNames)[number];

/** The title of a network, and one line about its gradients. */
export const networkTexts: Readonly<Record<NetworkName, { readonly title: string; readonly explanation: string }>> = {
  tanh: { title: 'tanh RNN', explanation: 'Small random weights. Gradients vanish within a few steps.' },
  orthogonal: { title: 'tanh RNN, orthogonal', explanation: 'Weights that keep the norm. Gradients vanish slowly.' },
  relu: { title: 'ReLU RNN, identity', explanation: 'Starts as an integrator. Gradients pass unchanged, or explode.' },
  lstm: { title: 'LSTM', explanation: 'A cell state behind a forget gate carries the gradient.' },
  gru: { title: 'GRU', explanation: 'An update gate decides what to keep. Fewer weights than an LSTM.' },
};

export const isNetworkName = (name: string): name is NetworkName => (networkNames as readonly string[]).includes(name);

/** The title of any network, also of one that was added in the editor. */
export const titleOf = (name: string): string =>
  isNetworkName(name) ? networkTexts[name].title : name === 'imported' ? 'Loaded model' : name;
