// The bundler embeds these files.
declare module '*.keras' {
  const bytes: Uint8Array;
  export default bytes;
}

declare module '*.h5' {
  const bytes: Uint8Array;
  export default bytes;
}

declare module '*.onnx' {
  const bytes: Uint8Array;
  export default bytes;
}
