"""What cl100k_base and o200k_base have in common, as far as estimates need it; the tests compare it with both.

Written by ``tools/build_tables.py``, which says how each is chosen.
"""

from __future__ import annotations

PAIRS = (
    "aabcdefghijklmnopqrstuvwxyz babcdefghijklmnoprstuvwxyz cabcdefghijklmnopqrstuvwxyz "
    "dabcdefghijklmnopqrstuvwxyz eabcdefghijklmnopqrstuvwxyz fabcdefghiklmnopqrstuvwxy "
    "gabcdefghilmnoprstuvwxyz habcdefghiklmnopqrstuvwxyz iabcdefghijklmnopqrstuvwxyz "
    "jabcdefhijklmnopqrstu kabcdefghijklmnoprstuvwy labcdefghijklmnoprstuvwxyz mabcdefghijklmnopqrstuvwxy"
    " nabcdefghijklmnoprstuvwxyz oabcdefghijklmnoprstuvwxyz pabcdefghijklmnopqrstuvwxyz "
    "qabcdehilmnpqrstuwx rabcdefghiklmnopqrstuvwxyz sabcdefghijklmnopqrstuvwxyz tabcdefghiklmnoprstuvwxyz"
    " uabcdefghijklmnoprstuvwxyz vabcdefghijklmnoprstuvwxy wabcdefghijklmnoprstuwxy xabcdefilmnoprstxyz "
    "yabcdeghiklmnoprstuwxyz zabcdefhiklmnopstuwxyz AbcdfghijklmnoprstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ "
    "BaegilorsuyABCDEFGHIJKLMNOPRSTUVWXY CabcdehilorsuxyABCDEFGHIKLMNOPRSTUVWXY "
    "DabeiorstuABCDEFGHIJKLMNOPRSTUVWXY EbcdfklmnpqrstuvxyABCDEFGHIKLMNOPQRSTUVWXZ "
    "FacdeilnorsuxABCDEFGHIKLMNOPRSTUWXY GabeilorsuABCDEFGHILMNOPRSTUVWXY "
    "HaeiopuyzABCDEFGHIKLMNOPQRSTUVWXYZ IdfklmnoprstxABCDEFGHIJKLMNOPQRSTUVWXZ JaeosuABCDEIJKMOPRSTV "
    "KaehinryABCDEFGHIKLMNOPRSTVWY LaefinotuvyABCDEFGIKLMNOPRSTUVY "
    "MabcdeioprstuyABCDEFGHIJKLMNOPQRSTUVWXY NabdeghimorsuxyABCDEFGHIJKLMNOPRSTUVWXYZ "
    "ObdfhiklmnprstABCDEFGHIKLMNOPRSTUVWX PaeghiklorstuxyABCDEFGHIJKLMNOPRSTUVWXY QituABCELMNPQRSTU "
    "RaehopsuxABCDEFGHIKLMNOPRSTUVWXY SacehiklmnopqrtuwyzABCDEFGHIJKLMNOPQRSTUVWXYZ "
    "TadehikoprsuvwxyABCDEFGHIKLMNOPRSTUVWXYZ UbhilmnprstABCDEFGIKLMNPRSTUVXY "
    "VaeikmosuyABCDEFGIKLMNOPRSTV WaehiorsyABCDEFGHIKLMNOPRSTWX XdiABCDEFILMPRSTXY YaeouACEGLMNOPSTWYZ "
    "ZehAEFHNORWXYZ"
)
"""For each letter, the letters after it that it merges with, in both vocabularies; separated by spaces."""

ONE = (
    "b0 b4 c3 c9 cd-ce f0 f4 103 10d 130 14d 1b0 3b4 3c3 3c9 3cc 430 434 443 449 44c-44e 60c 630 634 643 "
    "649 64e 6cc 754c"
)
"""Characters that are one token wherever they stand (code points and ranges, hexadecimal)."""

TWO = (
    "24-2b 2e-3a 3c-3d 40 43 5e-5f 7a-7b 80-82 84-86 88-89 91 94-99 9c-9e c0-c3 c5 138-141 143 145-151 "
    "153-156 15b-15d 15f-165 167 16d-172 177-181 183-184 188-18f 191-192 194-1a1 1a3 1a5 1ac-1bc 1c1 1c4 "
    "1c8-1c9 1ce-1d0 1d4-1d5 1d9-1dd 1e1-1e2 1e4-1ef 1f1-1f2 1f4-1f5 1fa-1fe 200-203 207-20d 20f-210 219 "
    "221-223 226-22a 22d-237 23d-243 247 24c 252-25d 260-263 266 269 27b 27e 2b0-2b3 2b5 2b7-2b9 2c2 "
    "2c4-2c5 2ca-2cb 2cd 2cf-2d0 2d3-2d4 2de-2e1 2e3 2e5-2e7 2e9-2ea 2ef-2f0 2f2-2f3 2f6 2f8 302-306 "
    "30a-30b 315-31e 320 324 326-327 330 332 336 339 341 343-344 34a 34c 355 358-359 3c2 3f8 3fc-3ff"
)
"""Blocks of 64 characters (code point divided by 64) of which none takes more than two tokens: the first two of their
three bytes merge."""
