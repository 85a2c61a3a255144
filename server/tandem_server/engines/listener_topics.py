"""The topics of the built-in listener, and the plain words by which it tells speech from a bad transcript."""

from __future__ import annotations

from typing import Final

from tandem_server.engines.listener_rules import Topic

TOPICS: Final[tuple[Topic, ...]] = (
    Topic("family", "mother father sister brother mum mom dad daughter son wife husband parents grandmother "
          "grandfather family uncle aunt cousin baby children kids",
          "married wedding born",
          ("What are they like?", "How often do you see your family?", "Who in your family are you most like?",
           "What do you enjoy doing together?", "What did you learn from them?",
           "Did you grow up in a big family?"), "your {noun}"),
    Topic("friends", "friend friends girlfriend boyfriend neighbour neighbor neighbours neighbors",
          "party met together",
          ("How did you two meet?", "What do you do when you get together?", "What makes a good friend for you?",
           "Who have you known the longest?", "When did you last laugh together?"), "your {noun}"),
    Topic("work", "work job office boss company meeting colleague colleagues project business",
          "working worked hired career",
          ("What does a normal day there look like?", "What do you enjoy about it?", "How did you get into it?",
           "What would you do if you did not have to work?", "Who do you work with most?",
           "What is the hardest part of it?")),
    Topic("study", "school university college exam class teacher homework thesis lecture research science",
          "study studying studied learn learning learned student",
          ("What do you find most interesting about it?", "What made you choose that?",
           "Who was your best teacher?", "What would you like to learn next?", "How do you learn best?")),
    Topic("travel", "travel trip vacation holiday holidays flight train airport hotel beach sea island mountains",
          "travelling traveling abroad flew drove visit visited journey",
          ("Where was that, exactly?", "What surprised you there?", "Who do you like to travel with?",
           "Where would you go if money did not matter?", "Do you plan ahead, or just go?",
           "What do you always take with you?")),
    Topic("food", "food dinner lunch breakfast coffee tea pizza bread cake fruit restaurant soup cheese chocolate "
          "meal wine beer",
          "eat eating ate cook cooking cooked kitchen hungry drink recipe delicious bake baking",
          ("What is your favourite dish?", "Do you like to cook yourself?", "What did you eat as a child?",
           "Is there anything you would never eat?", "What did you have today?", "Who taught you to cook?")),
    Topic("weather", "weather rain snow sun wind storm summer winter spring autumn",
          "sunny raining rainy cloudy cold warm hot snowing windy",
          ("What is your favourite season?", "What do you do on a rainy day?", "Does the weather change your mood?",
           "What is it like outside right now?", "Do you prefer it hot or cold?")),
    Topic("music", "music song songs guitar piano concert band violin choir drums",
          "sing singing listen dancing dance sang",
          ("What have you been listening to lately?", "Do you play anything yourself?",
           "What was your first concert?", "What song always cheers you up?", "Do you like to sing?",
           "What music did you grow up with?")),
    Topic("sport", "sport sports football soccer tennis basketball swimming running yoga cycling hockey skiing gym "
          "golf",
          "team game match training exercise run swim won lost player bike climbing hiking",
          ("How often do you do that?", "Do you like to play or rather to watch?", "How did you get started?",
           "What was your proudest moment?", "What keeps you going?", "Who do you do it with?")),
    Topic("stories", "book books film films movie movies series novel television theatre theater",
          "read reading watched watching author actor netflix cinema",
          ("What was it about?", "Would you recommend it?", "Which one could you enjoy again and again?",
           "Who is your favourite character?", "What kind do you like best?")),
    Topic("animals", "dog dogs cat cats horse bird birds animal animals pet pets puppy kitten rabbit fish",
          "feed vet paws",
          ("What is it like?", "Did you have animals as a child?", "What is the funniest thing it ever did?",
           "What animal would you be?", "Who looks after it?")),
    Topic("home", "house home flat apartment garden room furniture balcony",
          "moved moving rent live living cleaning",
          ("What do you like about the place?", "How long have you lived there?",
           "What is your favourite spot there?", "What would you change about it?",
           "Who do you live with?"), "your {noun}"),
    Topic("place", "city town village country river forest park lake london paris berlin america england germany "
          "france italy spain",
          "nature street countryside",
          ("What is it like there?", "What should a visitor see first?", "Could you imagine leaving?",
           "What does it sound like there in the morning?", "What makes it different from other places?")),
    Topic("rest", "sleep weekend evening night morning",
          "slept tired woke bed nap early late relax relaxing",
          ("Are you a morning person?", "What does a perfect evening look like for you?", "How do you wind down?",
           "Did you sleep well last night?", "What gets you out of bed?"), "the {noun}"),
    Topic("health", "doctor hospital headache pain medicine health",
          "ill sick hurts fever cough cold",
          ("How are you feeling now?", "How long has that been going on?", "What helps a little?",
           "Is somebody looking after you?")),
    Topic("machines", "computer computers phone internet technology robot robots software programming",
          "code coding online app website typing",
          ("What do you use it for most?", "Could you do without it for a week?", "What was your first computer?",
           "What should machines never do, in your opinion?", "Does it make your life easier?")),
    Topic("money", "money shopping car shop clothes shoes present gift",
          "buy bought expensive cheap pay paid cost store",
          ("Was it worth it?", "What was the best thing you ever bought?", "What do you like to spend money on?",
           "Do you decide quickly, or think it over?")),
)  # fmt: skip

COMMON: Final = frozenset(  # enough plain English to see whether a caught fragment is likely to be real
    "a about after again all almost alone along already also always am an and another any anything are around as "  # noqa: SIM905
    "at away back bad be beautiful been before being best better big bit black blue both boy brothers but by call "
    "can can't change clean close come could day days did didn't different do does doesn't doing don't done down "
    "each easy eight eleven else end enough even ever every everybody everyone everything fast feel few fifteen "
    "fifty find first five for forty four free friendly from fun funny get getting girl give go going good got "
    "great green had half happy hard has have he hear help her here him his hope hours how hundred i i'd i'll i'm "
    "i've if important in interesting into is it it's its just keep kind know large last later less let life like "
    "little live lives long look looking lot lots love make making man many matter may me mean meet mind months "
    "more most much must my myself near need never new next nice nine nobody none not nothing now of off often old "
    "on once one only open or other our out outside over own people person place play playing possible pretty put "
    "quick quiet quite rather ready real really red right said same saw say see seen seven she short should show "
    "simple since sisters sit six sixty slow small so some somebody someone something sometimes soon speak start "
    "stay still stop strange such take talk talking tell ten than thank that that's the their them then there "
    "these they thing things think thirty this those though three through time times to today together tomorrow "
    "too true try trying turn twelve twenty two under understand until up us use very voice voices wait walk "
    "walking walks want was watch water way we week weeks well went were what when where which while white who why "
    "will wish with without woman wonderful word words world would write writing wrong year years yes yesterday "
    "yet you young your yourself".split()
)
VERBS: Final = frozenset(  # what people say they want to do
    "be become build buy call change clean come cook dance do draw drive eat find fly get give go have hear help "  # noqa: SIM905
    "know learn leave listen live look lose make meet move paint play read relax rest ride run say see sell sing "
    "sit sleep speak spend start stay stop study swim take talk teach tell think travel try understand use visit "
    "wait wake walk watch win work write".split()
)
DETERMINERS: Final = frozenset({"a", "an", "the", "my", "your", "his", "her", "our", "their", "this", "these", "those"})
PREPOSITIONS: Final = frozenset(
    {"of", "to", "in", "on", "at", "for", "with", "from", "by", "about", "into", "than", "as"}
)
JOINING: Final = frozenset(
    {"and", "or", "but", "if", "because", "that", "which", "so", "is", "are", "was", "were", "be"}
)
PRONOUNS: Final = frozenset({"i", "he", "she", "we", "they", "it", "you", "i'm", "it's"})
FILLERS: Final = frozenset({"um", "uh", "er", "erm", "hm", "hmm", "mm", "ah", "eh", "oh", "well", "huh", "uhm", "like"})
"""Dropped from the start of what was said."""
