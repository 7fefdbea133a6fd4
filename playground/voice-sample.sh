#!/usr/bin/env bash
# Makes public/voice-sample.flac, the sample of the page voice.html: three sentences of espeak-ng and a melody of sox, at
# 16 kHz. It needs the Debian packages espeak-ng, sox and libsox-fmt-base.
set -euo pipefail
target=$(cd "$(dirname "$0")" && pwd)/public/voice-sample.flac
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
cd "$folder"
format=(-r 16000 -b 16 -c 1)
say() { # name, voice, text
  espeak-ng -v "$2" -s 165 --stdout "$3" | sox -D -t wav - "${format[@]}" "$1.wav" norm -15
}
say first en-us 'Is anyone speaking?'
say second en-gb+f3 'A melody is as loud as a voice.'
say third en-gb-scotland+m3 'Now you.'
for note in C4 E4 G4 C5; do
  sox -D -n "${format[@]}" "$note.wav" synth 0.3 pluck "$note" fade t 0.005 0.3 0.2 norm -15
done
sox -D -n "${format[@]}" start.wav trim 0 0.8
sox -D -n "${format[@]}" pause.wav trim 0 1
sox -D {start,first,pause,C4,E4,G4,C5,G4,C5,pause,second,pause,third,pause}.wav -C 8 --comment '' "$target"
