/** Conversion of 16-bit floating-point values to single precision. */

/** Converts IEEE 754 half precision (1 sign bit, 5 exponent bits, 10 fraction bits) exactly, NaN payloads included. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  const single = new Float32Array(bits.length);
  const wide = new Uint32Array(single.buffer);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i]!;
    // Read as single precision, the exponent is too small by 127 − 15, the difference of the biases; this also holds
    // for subnormal values.
    wide[i] = (half & 0x7fff) << 13;
    if ((half & 0x7c00) === 0x7c00) wide[i]! |= 0x7f800000;
    else single[i]! *= 2 ** 112;
    wide[i]! |= (half & 0x8000) << 16;
  }
  return single;
}

/** Converts bfloat16, the upper half of single precision, exactly. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const single = new Float32Array(bits.length);
  const wide = new Uint32Array(single.buffer);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i]! << 16;
  return single;
}
