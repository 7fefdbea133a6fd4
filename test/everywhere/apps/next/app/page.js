'use client';

import { useEffect, useState } from 'react';

/** The same page as the others without the library, to measure its size. */
const run = async () => 'empty';

export default function Page() {
  const [text, setText] = useState('');
  useEffect(() => {
    run().then((result) => setText(JSON.stringify(result)));
  }, []);
  return <p>{text}</p>;
}
