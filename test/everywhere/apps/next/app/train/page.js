'use client';

import { useEffect, useState } from 'react';
import { run } from '../../../train/app.js';

export default function Page() {
  const [text, setText] = useState('');
  useEffect(() => {
    run().then((result) => setText(JSON.stringify(result)));
  }, []);
  return <p>{text}</p>;
}
