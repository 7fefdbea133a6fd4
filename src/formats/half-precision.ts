/** Numbers of two bytes. */

/** IEEE 754 half precision, sign 1, exponent 5, fraction 10, as single precision: exact, whatever stands in a NaN. */
export function fromFloat16(bits: Uint16Array): Float32Array {
  const single = new Float32Array(bits.length);
  const wide = new Uint32Array(single.buffer);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i]!;
    // In the place of single precision the exponent is too small by 127 − 15, also where it is 0 and the fraction has no leading 1.
    wide[i] = (half & 0x7fff) << 13;
    if ((half & 0x7c00) === 0x7c00) wide[i]! |= 0x7f800000;
    else single[i]! *= 2 ** 112;
    wide[i]! |= (half & 0x8000) << 16;
  }
  return single;
}

/** bfloat16, the upper half of single precision: exact. */
export function fromBfloat16(bits: Uint16Array): Float32Array {
  const single = new Float32Array(bits.length);
  const wide = new Uint32Array(single.buffer);
  for (let i = 0; i < bits.length; i++) wide[i] = bits[i]! << 16;
  return single;
}
