# ruff: noqa: RUF001 (letters of other alphabets)
"""Everyday sentences: what the features of unrelated texts have in common.

Many encoders of texts place all texts in a narrow cone (Ethayarajh 2019, "How Contextual are Contextualized Word
Representations?", arXiv:1909.00512). What all texts share tells none of them apart; Mu and Viswanath 2018,
arXiv:1702.01417, subtract it.
"""

SENTENCES = (
    "The train leaves at half past seven.",
    "Please send me the bill by e-mail.",
    "Two new schools open in the city next year.",
    "I have lost my keys again.",
    "How many people work in your office?",
    "She painted the kitchen yellow last summer.",
    "The screen stays black after the update.",
    "This is the best film that I have seen for years.",
    "Prices rose by three percent in March.",
    "Can you help me to carry the table?",
    "The patient was given 20 mg twice a day.",
    "He scored in the last minute of the game.",
    "Cut the onions and fry them in butter.",
    "I do not agree with the second point.",
    "Our dog is afraid of thunder.",
    "The contract ends on 31 December.",
    "Where did you buy these shoes?",
    "A river divides the old town from the new one.",
    "Thank you for your quick reply.",
    "The battery is empty after two hours.",
    "Wann beginnt der Unterricht morgen?",
    "Das Paket ist beschädigt angekommen.",
    "Les enfants jouent dans le jardin.",
    "Je voudrais changer mon adresse.",
    "El museo cierra los lunes.",
    "No puedo entrar en mi cuenta.",
    "Abbiamo vissuto dieci anni a Torino.",
    "Il prezzo è troppo alto.",
    "O carro está na oficina desde ontem.",
    "Gostei muito deste livro.",
    "De vergadering duurt tot vijf uur.",
    "Mijn fiets is gestolen.",
    "Proszę o fakturę za zamówienie.",
    "Moja siostra uczy się w Krakowie.",
    "Поезд опаздывает на десять минут.",
    "Мне нужен новый паспорт.",
    "Toplantı yarın sabah dokuzda.",
    "Bu telefon çok pahalı.",
    "أين أقرب محطة قطار؟",
    "لم يصلني الطلب بعد.",
    "मुझे एक नई किताब चाहिए।",
    "दुकान रविवार को बंद रहती है।",
    "我的订单什么时候到？",
    "他昨天在公园里跑步。",
    "会議は三時に始まります。",
    "この部屋は少し寒いです。",
    "Ninataka kununua tiketi mbili.",
    "Watoto wanasoma shuleni.",
)
"""In several languages. Features of added models depend on them, so they stay as they are."""
NARROW = 0.3
"""Mean cosine of unrelated texts from which features are centred. all-MiniLM-L6-v2 has 0.1 and
multilingual-e5-small 0.8."""
